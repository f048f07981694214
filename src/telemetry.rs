//! Tracing and its export: one trace from `plan.approved` to `campaign.live`, over Kafka headers and database rows.
//!
//! Must not carry secrets, bodies or account names; is never the audit log (spans may be dropped).

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What must be shut down at the end, so that the last spans are exported.
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Installs logs and, with an endpoint, the export of spans. Once per process; a second installation changes nothing.
///
/// # Errors
/// When the exporter cannot be built (a URL that is none).
pub fn install(level: &str, format: LogFormat, otlp: Option<&str>) -> anyhow::Result<Telemetry> {
    let mut builder = SdkTracerProvider::builder().with_resource(
        opentelemetry_sdk::Resource::builder()
            .with_service_name("campaign-execution")
            .build(),
    );
    if let Some(endpoint) = otlp {
        let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()?;
        builder = builder.with_batch_exporter(exporter);
    }
    let provider = builder.build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("campaign-execution"));
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = match format {
        LogFormat::Text => fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .with_writer(std::io::stderr)
            .flatten_event(true)
            .boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init();
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Exports what is left. Blocks: call it where that may.
    pub fn shutdown(self) {
        let _ = self.provider.shutdown();
    }
}

/// The current span as a `traceparent` header (W3C Trace Context); `None` outside any.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8()
        )
    })
}

/// Makes the message's span this span's parent: the work follows at once.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(parse) {
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
}

/// Links this span to the message's: the work may follow hours later. Both stay in one trace.
pub fn link(span: &Span, traceparent: Option<&str>) {
    if let Some(origin) = traceparent.and_then(parse) {
        span.add_link(origin.clone());
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(origin));
    }
}

/// Reads a `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 || parts.next().is_some()
    {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_traceparents_are_believed() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parse(good).is_some());
        for bad in [
            "",
            "00-x",
            &good[1..],
            &good.replace("4bf9", "zzzz"),
            &format!("{good}-00"),
            &good.replace("00-4", "01-4"),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert!(parse("00-00000000000000000000000000000000-00f067aa0ba902b7-01").is_none());
    }
}
