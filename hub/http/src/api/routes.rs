//! Which request goes where, and what holds for all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    HeaderName, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, MethodRouter};
use axum::Router;

use super::access::{Access, Claim};
use super::failure::Failure;
use super::{
    access, audit, body, configs, devices, events, figures, firmware, gateways, logs, messages, openapi, page,
    products, resources, session, shadow, ssh, status, tags, upgrades, users, Console,
};
use hub_core::model::{Caller, Role};
use hub_core::problems;

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Where firmware is uploaded to.
const FIRMWARE: &str = "/api/firmware";

/// A question that is too long for an address; it changes nothing.
const REACH: &str = "/api/upgrades/reach";

/// The devices of a gateway.
const GATEWAY: &str = "/api/gateways/{client_id}/devices";

/// The files of a device.
const RESOURCES: &str = "/api/devices/{client_id}/resources";

/// Whether the hub serves: anybody may ask, under any name of the machine.
const HEALTH: &str = "/healthz";

/// Figures.
const METRICS: &str = "/metrics";

type Handlers = MethodRouter<Arc<Console>>;

/// Who may ask for an operation: who has this role; `None`: anybody.
pub type Need = Option<Role>;

const ANYBODY: Need = None;
const VIEW: Need = Some(Role::View);
const ORDER: Need = Some(Role::Order);
const ADMINISTER: Need = Some(Role::Administer);

/// The API's operations, and who may ask for them. Each is described in `openapi`; a test holds the two together.
pub fn operations() -> Vec<(Method, &'static str, Need, Handlers)> {
    vec![
        (Method::GET, "/api/hub", VIEW, get(status::about)),
        (Method::POST, "/api/session", ANYBODY, post(session::sign_in)),
        (Method::DELETE, "/api/session", ANYBODY, delete(session::sign_out)),
        (Method::GET, FIRMWARE, VIEW, get(firmware::list)),
        (Method::POST, FIRMWARE, ORDER, post(firmware::add)),
        (Method::GET, "/api/firmware/{id}", VIEW, get(firmware::show)),
        (Method::DELETE, "/api/firmware/{id}", ORDER, delete(firmware::remove)),
        (Method::GET, "/api/devices", VIEW, get(devices::list)),
        (Method::POST, "/api/devices", ADMINISTER, post(devices::add)),
        (Method::POST, "/api/devices/{client_id}/renew", ADMINISTER, post(devices::renew)),
        (Method::GET, "/api/devices/{client_id}", VIEW, get(devices::show)),
        (Method::DELETE, "/api/devices/{client_id}", ADMINISTER, delete(devices::remove)),
        (Method::POST, "/api/devices/{client_id}/tags", ORDER, post(tags::set)),
        (Method::POST, "/api/tags", ORDER, post(tags::change)),
        (Method::GET, "/api/products/{product_id}/tags", VIEW, get(tags::list)),
        (Method::GET, "/api/products/{product_id}/versions", VIEW, get(tags::versions)),
        (Method::GET, "/api/devices/{client_id}/jobs", VIEW, get(devices::jobs)),
        (Method::GET, "/api/devices/{client_id}/shadow", VIEW, get(shadow::show)),
        (Method::POST, "/api/devices/{client_id}/shadow", ORDER, post(shadow::desire)),
        (Method::GET, "/api/devices/{client_id}/ssh", VIEW, get(ssh::show)),
        (Method::POST, "/api/devices/{client_id}/ssh", ADMINISTER, post(ssh::open)),
        (Method::DELETE, "/api/devices/{client_id}/ssh", ADMINISTER, delete(ssh::close)),
        (Method::GET, RESOURCES, VIEW, get(resources::list)),
        (Method::POST, RESOURCES, ORDER, post(resources::send)),
        (Method::GET, "/api/resources/{id}", VIEW, get(resources::file)),
        (Method::GET, "/api/gateways", VIEW, get(gateways::list)),
        (Method::GET, GATEWAY, VIEW, get(gateways::devices)),
        (Method::POST, GATEWAY, ADMINISTER, post(gateways::bind)),
        (Method::DELETE, GATEWAY, ADMINISTER, delete(gateways::unbind_all)),
        (Method::DELETE, "/api/gateways/{client_id}/devices/{device}", ADMINISTER, delete(gateways::unbind)),
        (Method::POST, "/api/gateways/{client_id}/search", ORDER, post(gateways::search)),
        (Method::GET, "/api/products", VIEW, get(products::list)),
        (Method::POST, "/api/products/{product_id}/registration", ADMINISTER, post(products::set_registration)),
        (Method::GET, "/api/upgrades", VIEW, get(upgrades::list)),
        (Method::POST, "/api/upgrades", ORDER, post(upgrades::order)),
        (Method::POST, REACH, ORDER, post(upgrades::reach)),
        (Method::GET, "/api/upgrades/{id}", VIEW, get(upgrades::show)),
        (Method::POST, "/api/upgrades/{id}/cancel", ORDER, post(upgrades::cancel)),
        (Method::POST, "/api/upgrades/{id}/next", ORDER, post(upgrades::next)),
        (Method::POST, "/api/upgrades/{id}/stop", ORDER, post(upgrades::stop)),
        (Method::POST, "/api/upgrades/{id}/resume", ORDER, post(upgrades::resume)),
        (Method::POST, "/api/broadcasts", ORDER, post(messages::broadcast)),
        (Method::POST, "/api/devices/{client_id}/rrpc", ORDER, post(messages::rrpc)),
        (Method::GET, "/api/devices/{client_id}/rrpc", VIEW, get(messages::rrpcs)),
        (Method::GET, "/api/devices/{client_id}/log", VIEW, get(logs::show)),
        (Method::DELETE, "/api/devices/{client_id}/log", ORDER, delete(logs::clear)),
        (Method::POST, "/api/devices/{client_id}/log-level", ORDER, post(logs::set_level)),
        (Method::GET, "/api/configs", VIEW, get(configs::list)),
        (Method::GET, "/api/configs/{product_id}", VIEW, get(configs::show)),
        (Method::POST, "/api/configs/{product_id}", ORDER, post(configs::publish)),
        (Method::DELETE, "/api/configs/{product_id}", ORDER, delete(configs::remove)),
        (Method::POST, "/api/configs/{product_id}/push", ORDER, post(configs::push)),
        (Method::POST, "/api/configs/{product_id}/switch", ORDER, post(configs::switch)),
        (Method::GET, "/api/events", VIEW, get(events::events)),
        (Method::GET, "/api/openapi.json", VIEW, get(openapi::serve)),
        (Method::GET, HEALTH, ANYBODY, get(figures::health)),
        (Method::GET, METRICS, VIEW, get(figures::metrics)),
        (Method::GET, "/api/users", ADMINISTER, get(users::list)),
        (Method::POST, "/api/users", ADMINISTER, post(users::add)),
        (Method::POST, "/api/users/{name}/role", ADMINISTER, post(users::change)),
        (Method::DELETE, "/api/users/{name}", ADMINISTER, delete(users::remove)),
        (Method::GET, "/api/audit", ADMINISTER, get(users::audit)),
    ]
}

/// Everything the listener answers.
pub fn router(console: Arc<Console>) -> Router {
    let mut router = Router::new();
    for (_, path, _, handlers) in operations() {
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

/// Where a connection comes from.
#[derive(Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Who may ask for what.
static NEEDS: LazyLock<HashMap<(Method, &str), Need>> =
    LazyLock::new(|| operations().into_iter().map(|(method, path, need, _)| ((method, path), need)).collect());

/// Who may send a request with this method to a path as it stands in the table.
fn need(method: &Method, matched: Option<&str>, in_api: bool) -> Need {
    let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
    let known = matched.and_then(|path| NEEDS.get(&(method, path)));
    // The page is there for all. Where there is nothing, whoever may look is told so.
    known.copied().unwrap_or(if in_api { VIEW } else { ANYBODY })
}

/// Who asks, as far as the request says it, and what that one has to be; `None`: anybody may.
fn claim(access: &Access, request: &Request, need: Need) -> Result<Option<(Claim, Role)>, Failure> {
    // A request that comes from nowhere comes from no proxy.
    let nowhere = IpAddr::from([0, 0, 0, 0]);
    let (peer, headers) = (request.extensions().get::<Peer>().map_or(nowhere, |peer| peer.0), request.headers());
    if request.uri().path() != HEALTH {
        access.check_source(peer, headers)?;
    }
    need.map(|role| Ok((access.claim(peer, headers)?, role))).transpose()
}

/// Who it is, where that one may do it. `change` is the request where it is to change something.
async fn admit(console: &Console, claim: Claim, role: Role, change: Option<&String>) -> Result<Caller, Failure> {
    let caller = console.ask(move |hub| access::caller(hub, claim)).await?;
    let caller = caller.ok_or_else(access::unknown_token)?;
    if caller.role < role {
        let problem = problems::role_lacking(&caller.name, role);
        if let Some(change) = change {
            let refusal = Failure::from(problem.clone()).into_response();
            let entry = audit::entry(caller, change.clone(), &refusal);
            audit::note(console, entry).await;
        }
        return Err(problem.into());
    }
    Ok(caller)
}

/// Lets in who may come in, notes what they change, and puts the headers on every answer.
async fn guard(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let in_api = path == "/api" || path.starts_with("/api/") || path == METRICS;
    // Files are read bit by bit.
    let is_file = path == FIRMWARE || path.starts_with("/api/devices/") && path.ends_with("/resources");
    let streams = is_file && *method == Method::POST;
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let claimed = claim(&console.access, &request, need(method, matched, in_api));
    let asks = matches!(*method, Method::GET | Method::HEAD) || path == REACH;
    let change = (!asks).then(|| format!("{method} {}", request.uri()));
    let admitted = match claimed {
        Ok(Some((claim, role))) => admit(&console, claim, role, change.as_ref()).await.map(Some),
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let outcome = match admitted {
        Ok(caller) if streams => Ok((caller, request)),
        Ok(caller) => body::whole(request).await.map(|request| (caller, request)),
        Err(failure) => {
            if !body::waits(request.headers()) {
                body::discard(&mut request.into_body().into_data_stream()).await;
            }
            Err(failure)
        }
    };
    let mut response = match outcome {
        Ok((None, request)) => next.run(request).await,
        Ok((Some(caller), request)) => answer(console, caller, change, request, next).await,
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

/// Answers a request of somebody who may make it.
async fn answer(
    console: Arc<Console>,
    caller: Caller,
    change: Option<String>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(caller.clone());
    let Some(change) = change else {
        return next.run(request).await;
    };
    // On its own: what is done is noted, whether or not the client waits for the answer.
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let entry = audit::entry(caller, change, &response);
        audit::note(&console, entry).await;
        response
    });
    done.await.unwrap_or_else(|_| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "The hub failed at this; its own output says more.")
            .into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_are_for_anybody() {
        let open: Vec<_> = operations().into_iter().filter(|(_, _, need, _)| need.is_none()).collect();
        let open: Vec<_> = open.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
        assert_eq!(open, ["POST /api/session", "DELETE /api/session", "GET /healthz"]);
    }

    #[test]
    fn who_may_look_changes_nothing() {
        for (method, path, role, _) in operations() {
            assert!(role.is_none() || method == Method::GET || role > VIEW, "{method} {path}");
        }
        for (method, path, expected) in [
            (Method::HEAD, Some("/api/users"), ADMINISTER),
            (Method::PUT, Some("/api/users"), VIEW),
            (Method::GET, None, VIEW),
            (Method::POST, Some("/api/upgrades"), ORDER),
        ] {
            assert_eq!(need(&method, path, true), expected, "{method} {path:?}");
        }
        assert_eq!(need(&Method::GET, Some("/"), false), ANYBODY);
    }
}
