//! Which request goes where, and what holds for all of them.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    HeaderName, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, MethodRouter};
use axum::Router;

use super::failure::Failure;
use super::{
    body, configs, devices, events, figures, firmware, gateways, logs, messages, openapi, page, products, resources,
    session, shadow, status, upgrades, Console,
};

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Where firmware is uploaded to.
const FIRMWARE: &str = "/api/firmware";

/// The devices of a gateway.
const GATEWAY: &str = "/api/gateways/{client_id}/devices";

/// The files of a device.
const RESOURCES: &str = "/api/devices/{client_id}/resources";

/// Whether the hub serves: anybody may ask, under any name of the machine.
const HEALTH: &str = "/healthz";

/// Figures.
const METRICS: &str = "/metrics";

type Handlers = MethodRouter<Arc<Console>>;

/// The API's operations. Each is described in `openapi`; a test holds the two together.
pub fn operations() -> Vec<(Method, &'static str, Handlers)> {
    vec![
        (Method::GET, "/api/hub", get(status::about)),
        (Method::POST, "/api/session", post(session::sign_in)),
        (Method::DELETE, "/api/session", delete(session::sign_out)),
        (Method::GET, FIRMWARE, get(firmware::list)),
        (Method::POST, FIRMWARE, post(firmware::add)),
        (Method::DELETE, "/api/firmware/{id}", delete(firmware::remove)),
        (Method::GET, "/api/devices", get(devices::list)),
        (Method::POST, "/api/devices", post(devices::add)),
        (Method::POST, "/api/devices/{client_id}/renew", post(devices::renew)),
        (Method::DELETE, "/api/devices/{client_id}", delete(devices::remove)),
        (Method::GET, "/api/devices/{client_id}/jobs", get(devices::jobs)),
        (Method::GET, "/api/devices/{client_id}/shadow", get(shadow::show)),
        (Method::POST, "/api/devices/{client_id}/shadow", post(shadow::desire)),
        (Method::GET, RESOURCES, get(resources::list)),
        (Method::POST, RESOURCES, post(resources::send)),
        (Method::GET, "/api/resources/{id}", get(resources::file)),
        (Method::GET, "/api/gateways", get(gateways::list)),
        (Method::POST, GATEWAY, post(gateways::bind)),
        (Method::DELETE, GATEWAY, delete(gateways::unbind_all)),
        (Method::DELETE, "/api/gateways/{client_id}/devices/{device}", delete(gateways::unbind)),
        (Method::POST, "/api/gateways/{client_id}/search", post(gateways::search)),
        (Method::GET, "/api/products", get(products::list)),
        (Method::POST, "/api/products/{product_id}/registration", post(products::set_registration)),
        (Method::GET, "/api/upgrades", get(upgrades::list)),
        (Method::POST, "/api/upgrades", post(upgrades::order)),
        (Method::GET, "/api/upgrades/{id}", get(upgrades::show)),
        (Method::POST, "/api/upgrades/{id}/cancel", post(upgrades::cancel)),
        (Method::POST, "/api/broadcasts", post(messages::broadcast)),
        (Method::POST, "/api/devices/{client_id}/rrpc", post(messages::rrpc)),
        (Method::GET, "/api/devices/{client_id}/rrpc", get(messages::rrpcs)),
        (Method::GET, "/api/devices/{client_id}/log", get(logs::show)),
        (Method::DELETE, "/api/devices/{client_id}/log", delete(logs::clear)),
        (Method::POST, "/api/devices/{client_id}/log-level", post(logs::set_level)),
        (Method::GET, "/api/configs", get(configs::list)),
        (Method::GET, "/api/configs/{product_id}", get(configs::show)),
        (Method::POST, "/api/configs/{product_id}", post(configs::publish)),
        (Method::DELETE, "/api/configs/{product_id}", delete(configs::remove)),
        (Method::POST, "/api/configs/{product_id}/push", post(configs::push)),
        (Method::POST, "/api/configs/{product_id}/switch", post(configs::switch)),
        (Method::GET, "/api/events", get(events::events)),
        (Method::GET, "/api/openapi.json", get(openapi::serve)),
        (Method::GET, HEALTH, get(figures::health)),
        (Method::GET, METRICS, get(figures::metrics)),
    ]
}

/// Everything the listener answers.
pub fn router(console: Arc<Console>) -> Router {
    let mut router = Router::new();
    for (_, path, handlers) in operations() {
        router = router.route(path, handlers);
    }
    for (name, content) in page::FILES {
        router = router.route(&page::path(name), get(move || async move { page::answer(name, content) }));
    }
    router
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "There is nothing at this address.") })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "This address takes other methods; see /api/openapi.json.")
        })
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(console.clone(), guard))
        .with_state(console)
}

/// Lets in who may come in, and puts the headers on every answer.
async fn guard(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let in_api = path == "/api" || path.starts_with("/api/") || path == METRICS;
    // The page and the way to sign in are there for all.
    let open = !in_api || path == "/api/session";
    let access = &console.access;
    let admitted = match path {
        HEALTH => Ok(()),
        _ if open => access.check_source(request.headers()),
        _ => access.check_source(request.headers()).and_then(|()| access.check_identity(request.headers())),
    };
    // Files are read bit by bit.
    let is_file = path == FIRMWARE || path.starts_with("/api/devices/") && path.ends_with("/resources");
    let streams = is_file && request.method() == Method::POST;
    let outcome = match admitted {
        Ok(()) if streams => Ok(request),
        Ok(()) => body::whole(request).await,
        Err(failure) => {
            if !body::waits(request.headers()) {
                body::discard(&mut request.into_body().into_data_stream()).await;
            }
            Err(failure)
        }
    };
    let mut response = match outcome {
        Ok(request) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if in_api {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
