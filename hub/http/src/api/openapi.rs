//! The API's description.

use axum::Json;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

use super::failure::{self, PROBLEM_JSON};
use super::{
    configs, devices, events, figures, firmware, gateways, logs, messages, products, resources, session, shadow, ssh,
    status, tags, upgrades, users,
};
use hub_core::model::Change;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "hub", description = "The cloud on your desk: firmware, devices and upgrades."),
    paths(
        status::about,
        session::sign_in,
        session::sign_out,
        firmware::list,
        firmware::add,
        firmware::show,
        firmware::remove,
        devices::list,
        devices::show,
        devices::add,
        devices::renew,
        devices::remove,
        devices::jobs,
        tags::set,
        tags::change,
        tags::list,
        tags::versions,
        gateways::list,
        gateways::devices,
        gateways::bind,
        gateways::unbind,
        gateways::unbind_all,
        gateways::search,
        resources::list,
        resources::send,
        resources::file,
        products::list,
        products::set_registration,
        shadow::show,
        shadow::desire,
        ssh::show,
        ssh::open,
        ssh::close,
        upgrades::list,
        upgrades::order,
        upgrades::reach,
        upgrades::show,
        upgrades::cancel,
        upgrades::next,
        upgrades::stop,
        upgrades::resume,
        messages::broadcast,
        messages::rrpc,
        messages::rrpcs,
        logs::show,
        logs::clear,
        logs::set_level,
        configs::list,
        configs::show,
        configs::publish,
        configs::push,
        configs::switch,
        configs::remove,
        events::events,
        users::list,
        users::add,
        users::change,
        users::remove,
        users::audit,
        figures::health,
        figures::metrics,
        serve,
    ),
    components(schemas(failure::Body, Change)),
    security((), ("token" = []), ("session" = [])),
    modifiers(&Common)
)]
struct Description;

/// What all operations have in common.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut OpenApi) {
        let refusal = ResponseBuilder::new()
            .description("Refused")
            .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build())
            .build();
        for item in openapi.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
                operation.responses.responses.insert("default".to_owned(), refusal.clone().into());
            }
        }
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token")).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description("hub_session_PORT", "From POST /api/session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// This description.
#[utoipa::path(get, path = "/api/openapi.json", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub async fn serve() -> Json<OpenApi> {
    Json(Description::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Method;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_every_description_has_a_route() {
        let described: BTreeSet<(String, String)> = Description::openapi()
            .paths
            .paths
            .into_iter()
            .flat_map(|(path, item)| {
                let methods = [(Method::GET, item.get), (Method::POST, item.post), (Method::DELETE, item.delete)];
                assert!(item.put.is_none() && item.patch.is_none(), "{path}: a method this test does not know");
                methods.into_iter().filter_map(move |(method, operation)| Some((path.clone(), method, operation?)))
            })
            .map(|(path, method, _)| (path, method.to_string()))
            .collect();
        let routed: BTreeSet<(String, String)> = super::super::routes::operations()
            .into_iter()
            .map(|(method, path, ..)| (path.to_owned(), method.to_string()))
            .collect();
        // The table of routes is also that of the roles they need.
        assert_eq!(described, routed);
    }
}
