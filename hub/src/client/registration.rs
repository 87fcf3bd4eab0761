//! `hub registration`.

use std::process::ExitCode;

use super::args::{self, RegistrationAction};
use super::connection::{part, Connection};
use super::devices::read_secret;
use super::output;
use super::trouble::Trouble;
use hub_core::model::{ProductList, ProductSecret, SetRegistration};

/// Carries the command out.
pub fn run(args: &args::Registration) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    let (product, what) = match &args.action {
        None | Some(RegistrationAction::List) => {
            list(&hub, json)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(RegistrationAction::On { product, secret_file }) => {
            let secret = secret_file.as_deref().map(read_secret).transpose()?;
            (product, SetRegistration { enabled: true, secret })
        }
        Some(RegistrationAction::Off { product }) => (product, SetRegistration { enabled: false, secret: None }),
    };
    let set: ProductSecret = hub.post(&format!("/api/products/{}/registration", part(product)), &what)?;
    match (json, what.enabled) {
        (true, _) => output::json(&set),
        (false, true) => output::line(&format!("devices of product {product} may register\nsecret: {}", set.secret)),
        (false, false) => output::line(&format!("devices of product {product} may not register any more")),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(hub: &Connection, json: bool) -> Result<(), Trouble> {
    let list: ProductList = hub.get("/api/products")?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let rows: Vec<_> = list
        .products
        .into_iter()
        .map(|product| [product.product_id, if product.registration { "on" } else { "off" }.to_owned()])
        .collect();
    output::table(["PRODUCT", "REGISTRATION"], &rows, "no products with a secret");
    Ok(())
}
