//! The one table of Google's error codes: what each means for a call, and what a person can do about it.
//!
//! Must not look at anything but the code.
//!
//! Sources: google/ads/googleads/v26/errors/*.proto (names and comments), as noted at each block;
//! developers.google.com/google-ads/api/docs/common-errors.

use crate::domain::error::ErrorClass;

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Not done; soon it may work.
    Again,
    /// Not done; it may work after so many seconds, unless Google names its own delay.
    Later(u64),
    /// Done or not.
    Perhaps,
    /// The access token is not accepted (any more); nothing was done.
    Token,
    /// A thing of that name, or that very link, is there already.
    Exists,
    /// The object is not there any more.
    Gone,
    /// Only repeats what is wrong with a parent.
    Echo,
    /// No, and no again.
    No(ErrorClass, &'static str),
}

use ErrorClass::{Account, Auth, Budget, Payer, Policy, Validation};
use Means::{Again, Echo, Exists, Gone, Later, No, Perhaps, Token};

pub(super) const RECONNECT: &str =
    "reconnect the Google account: put a new credential into the credential file; then `retry`";
pub(super) const ACCESS: &str =
    "give the credential's user access to this Google Ads account (or correct `login_account_id`)";
const ACCOUNT: &str = "the account must be enabled in Google Ads; then `retry`";
const PROJECT: &str = "the Google Cloud project of the OAuth client needs API access to production accounts";
const EU: &str =
    "declare in Google Ads for every campaign of the account whether it contains political advertising";
const CREATIVE: &str = "change the text in a new approval of the plan, or ask Google for a review";
const AMOUNT: &str = "change the budget in a new approval of the plan";
const PERIOD: &str =
    "Google cannot change a budget's period: plan the campaign anew under another logical_campaign_key";
const ANEW: &str = "Google cannot change this once the campaign exists: plan the campaign anew under another logical_campaign_key";
const MERCHANT: &str = "link the Merchant Center account to the Google Ads account; then `retry`";
const VIDEO: &str = "put the YouTube id of a public video into the asset library; then `retry`";
const IMAGE: &str =
    "give an image that Google Ads takes: JPEG, PNG or GIF, of the right proportions; then `retry`";
const FULL: &str =
    "the account holds as many of these as Google allows: remove old ones or ask Google for more";
const NEWER: &str = "this version of the Google Ads API has no name for the error: see in Google Ads what is wrong, or update the service; then `retry`";
pub(super) const PLAN: &str = "correct the plan and approve it again";
pub(super) const NAME: &str =
    "another object of the account bears this name: rename or remove that one; then `retry`";
pub(super) const REBUILD: &str =
    "somebody removed it in Google Ads: `replay` or `retry` builds what is missing";

/// Family (`errorCode`'s key), name (`*`: all others of the family), meaning.
const TABLE: &[(&str, &str, Means)] = &[
    // internal_error.proto; "Currently not published", "will be published in a future API version": no trouble of the moment.
    ("internalError", "ERROR_CODE_NOT_PUBLISHED", No(Validation, NEWER)),
    ("internalError", "*", Perhaps),
    // database_error.proto: "Retry the request."; a violation is "usually replaced with a more specific error".
    ("databaseError", "CONCURRENT_MODIFICATION", Again),
    ("databaseError", "DATA_CONSTRAINT_VIOLATION", Again),
    // quota_error.proto; how long: developers.google.com/google-ads/api/docs/best-practices/quotas.
    ("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", Again),
    (
        "quotaError",
        "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
        Later(60),
    ),
    ("quotaError", "RESOURCE_EXHAUSTED", Later(900)),
    (
        "quotaError",
        "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
        Later(3600),
    ),
    (
        "quotaError",
        "PAYMENTS_PROFILE_ACTIVATION_RATE_LIMIT_EXCEEDED",
        No(Payer, ACCOUNT),
    ),
    ("quotaError", "ACCESS_PROHIBITED", No(Auth, PROJECT)),
    // authentication_error.proto
    ("authenticationError", "OAUTH_TOKEN_EXPIRED", Token),
    ("authenticationError", "OAUTH_TOKEN_INVALID", Token),
    ("authenticationError", "AUTHENTICATION_ERROR", Token),
    ("authenticationError", "CUSTOMER_NOT_FOUND", No(Account, ACCESS)),
    (
        "authenticationError",
        "CLIENT_CUSTOMER_ID_INVALID",
        No(Account, ACCESS),
    ),
    ("authenticationError", "*", No(Auth, RECONNECT)),
    // authorization_error.proto
    ("authorizationError", "CUSTOMER_NOT_ENABLED", No(Account, ACCOUNT)),
    ("authorizationError", "INCOMPLETE_SIGNUP", No(Account, ACCOUNT)),
    (
        "authorizationError",
        "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT",
        No(Account, ACCOUNT),
    ),
    (
        "authorizationError",
        "ACCESS_DENIED_FOR_ACCOUNT_TYPE",
        No(Account, ACCESS),
    ),
    (
        "authorizationError",
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        No(Auth, PROJECT),
    ),
    ("authorizationError", "PROJECT_DISABLED", No(Auth, PROJECT)),
    ("authorizationError", "MISSING_TOS", No(Auth, PROJECT)),
    ("authorizationError", "*", No(Auth, ACCESS)),
    ("headerError", "*", No(Auth, ACCESS)),
    // operation_access_denied_error.proto
    (
        "operationAccessDeniedError",
        "OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
        Gone,
    ),
    ("operationAccessDeniedError", "*", No(Auth, ACCESS)),
    ("resourceAccessDeniedError", "*", No(Auth, ACCESS)),
    ("notAllowlistedError", "*", No(Auth, ACCESS)),
    // Compliance gates: mutate_error.proto, criterion_error.proto, campaign_error.proto.
    (
        "mutateError",
        "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED",
        No(Account, EU),
    ),
    (
        "criterionError",
        "MISSING_EU_POLITICAL_ADVERTISING_SELF_DECLARATION",
        No(Account, EU),
    ),
    ("campaignError", "HEC_AGREEMENT_REQUIRED", No(Account, ACCOUNT)),
    // policy_finding_error.proto (ads), policy_violation_error.proto (keywords)
    ("policyFindingError", "*", No(Policy, CREATIVE)),
    ("policyViolationError", "*", No(Policy, CREATIVE)),
    ("policyValidationParameterError", "*", No(Policy, CREATIVE)),
    // Billing: these come from other services, and payer trouble wherever they show up.
    ("billingSetupError", "*", No(Payer, ACCOUNT)),
    ("accountBudgetProposalError", "*", No(Payer, ACCOUNT)),
    ("paymentsAccountError", "*", No(Payer, ACCOUNT)),
    (
        "biddingError",
        "NOT_COMPATIBLE_WITH_PAYMENT_MODE",
        No(Payer, ACCOUNT),
    ),
    // Duplicates. On a create: look it up, it may be ours.
    ("campaignError", "DUPLICATE_CAMPAIGN_NAME", Exists),
    ("campaignError", "CAMPAIGN_LABEL_ALREADY_EXISTS", Exists),
    ("campaignBudgetError", "DUPLICATE_NAME", Exists),
    ("adGroupError", "DUPLICATE_ADGROUP_NAME", Exists),
    ("labelError", "DUPLICATE_NAME", Exists),
    ("mutateError", "RESOURCE_ALREADY_EXISTS", Exists),
    ("campaignCriterionError", "CANNOT_ADD_EXISTING_FIELD", Exists),
    // asset_group_error.proto, asset_group_asset_error.proto, asset_error.proto, criterion_error.proto
    ("assetGroupError", "DUPLICATE_NAME", Exists),
    ("assetGroupAssetError", "DUPLICATE_RESOURCE", Exists),
    ("assetError", "DUPLICATE_ASSET_NAME", Exists),
    ("criterionError", "LISTING_GROUP_ALREADY_EXISTS", Exists),
    ("assetGroupListingGroupFilterError", "MULTIPLE_ROOTS", Exists),
    // merchant_center_error.proto: "either not found or not linked to the Google Ads customer".
    ("merchantCenterError", "*", No(Account, MERCHANT)),
    // youtube_video_registration_error.proto
    ("youtubeVideoRegistrationError", "*", No(Validation, VIDEO)),
    // image_error.proto, asset_link_error.proto
    ("imageError", "*", No(Validation, IMAGE)),
    (
        "assetLinkError",
        "IMAGE_NOT_WITHIN_SPECIFIED_DIMENSION_RANGE",
        No(Validation, IMAGE),
    ),
    // What can never be changed.
    ("fieldError", "IMMUTABLE_FIELD", No(Validation, ANEW)),
    // campaign_budget_error.proto, campaign_error.proto, bidding_error.proto
    ("campaignBudgetError", "CAMPAIGN_BUDGET_REMOVED", Gone),
    (
        "campaignBudgetError",
        "CAMPAIGN_BUDGET_IN_USE",
        No(Validation, PLAN),
    ),
    ("campaignBudgetError", "*", No(Budget, AMOUNT)),
    ("campaignError", "CANNOT_CHANGE_BUDGET_PERIOD", No(Budget, PERIOD)),
    ("campaignError", "INCOMPATIBLE_BUDGET_TYPE", No(Budget, AMOUNT)),
    (
        "campaignError",
        "NOT_COMPATIBLE_WITH_BUDGET_TYPE",
        No(Budget, AMOUNT),
    ),
    (
        "campaignError",
        "DURATION_TOO_LONG_FOR_TOTAL_BUDGET",
        No(Budget, AMOUNT),
    ),
    (
        "campaignError",
        "END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET",
        No(Budget, AMOUNT),
    ),
    (
        "biddingError",
        "BIDDING_STRATEGY_TYPE_INCOMPATIBLE_WITH_SHARED_BUDGET",
        No(Budget, AMOUNT),
    ),
    // mutate_error.proto, new_resource_creation_error.proto
    ("mutateError", "RESOURCE_NOT_FOUND", Gone),
    ("newResourceCreationError", "TEMP_ID_RESOURCE_HAD_ERRORS", Echo),
    // resource_count_limit_exceeded_error.proto
    ("resourceCountLimitExceededError", "*", No(Validation, FULL)),
];

/// What a code means; whatever the table doesn't know is a refusal of the plan.
pub(super) fn meaning(family: &str, name: &str) -> Means {
    let row = |wanted: &str| TABLE.iter().find(|(f, n, _)| *f == family && *n == wanted);
    row(name)
        .or_else(|| row("*"))
        .map_or(No(Validation, PLAN), |(_, _, means)| *means)
}
