//! The label by which a leg's creatives are found again.

use super::*;

/// A campaign keeps the label that it was made with, and what is made later bears the same.
#[test]
fn the_label_outlives_the_campaigns_name() {
    let mut spec = spec();
    let (_, mut manifest) = all_made(&spec, Serving::Paused);
    let first = spec.campaign_name.clone();
    "a_later_name".clone_into(&mut spec.campaign_name);
    manifest.campaign_name.clone_from(&spec.campaign_name);
    manifest
        .objects
        .retain(|o| o.kind != "ad" && o.kind != "adcreative");
    let desired = mapping::desire(&spec).expect("desired");
    for object in &mut manifest.objects {
        let wanted = desired.iter().find(|d| d.key == object.key).expect("desired");
        object.applied = wanted.fields.clone();
    }
    let ready = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert!(!ready.is_empty());
    for mutation in ready {
        assert_eq!(
            mutation.body["adlabels"][0]["name"], first,
            "{:?}",
            mutation.objects
        );
    }
    // Made anew, it bears its new name.
    for object in &mut manifest.objects {
        object.state = ObjectState::Removed;
    }
    let anew = mutations::next(Goal::Built, &desired, &manifest, &account()).remove(0);
    assert_eq!(anew.objects, ["campaign"]);
    assert_eq!(anew.body["adlabels"][0]["name"], "a_later_name");
}
