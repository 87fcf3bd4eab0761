//! Products whose devices may register, and the registration of a device.

use crate::devices::check_device_name;
use crate::events::Event;
use crate::hub::Hub;
use crate::model::{Problem, Product, ProductSecret, SetRegistration};
use crate::ports::store::Outcome;
use crate::registration::{adopted, check_secret, grant, twisted_refusal, Form, Posted, Refusal, Request, Twist};

/// Bytes in a product secret made here; its text is their hex digits.
const SECRET: usize = 12;

impl Hub {
    /// The products with a secret, in order.
    pub fn product_list(&self) -> Outcome<Vec<Product>> {
        self.store.products()
    }

    /// Lets the devices of a product register, or no longer.
    pub fn set_registration(&self, product_id: &str, what: &SetRegistration) -> Outcome<ProductSecret> {
        super::devices::check_product(product_id)?;
        if let Some(secret) = &what.secret {
            check_secret(secret).map_err(|what| Problem::invalid(format!("The product secret {what}.")))?;
        }
        let make = &mut || Ok(hex::encode(crate::random::bytes(SECRET)?));
        self.store.set_registration(product_id, what.enabled, what.secret.as_deref(), make)?;
        let kept = self.store.product_secret(product_id)?;
        let (secret, registration) = kept.ok_or_else(|| Problem::unknown("The product is gone."))?;
        Ok(ProductSecret { product: Product { product_id: product_id.to_owned(), registration }, secret })
    }

    /// The reply to a device that asks to be registered. It may ask again until it has reported something: what it got
    /// before ends each time. The twists are what is to be wrong with the reply.
    pub fn register(&self, form: Form, posted: &Posted, twists: &[Twist]) -> String {
        if let Some(reply) = twisted_refusal(twists) {
            return form.reply(reply);
        }
        let outcome = Request::parse(form, posted).and_then(|request| {
            let client_id = format!("{}{}", request.product_id, request.device_name);
            let reply = self.grant(&request, &client_id, twists);
            match &reply {
                Ok(_) => self.events.emit(&Event::Registered { client_id }),
                Err(refusal) => {
                    let text = format!("registration refused: {}", refusal.text());
                    self.events.emit(&Event::Warning { client_id: Some(client_id), text });
                }
            }
            reply
        });
        form.reply(outcome.unwrap_or_else(Refusal::reply))
    }

    fn grant(&self, request: &Request, client_id: &str, twists: &[Twist]) -> Result<String, Refusal> {
        let failed = |problem: Problem| {
            self.warn(&problem.detail);
            Refusal::Failed
        };
        let product = self.store.product_secret(&request.product_id).map_err(failed)?;
        let (secret, enabled) = product.ok_or(Refusal::Product)?;
        if !enabled {
            return Err(Refusal::Off);
        }
        request.check(&secret)?;
        check_device_name(&request.device_name).map_err(|_| Refusal::Device)?;
        let device = self.store.device(client_id).map_err(failed)?;
        let device = device.filter(|device| device.product_id == request.product_id).ok_or(Refusal::Device)?;
        if device.reported_at.is_some() {
            return Err(Refusal::InUse);
        }
        if let Some(pem) = &request.certificate {
            self.adopt_certificate(client_id, pem)?;
            return adopted(&secret, twists);
        }
        grant(&secret, &self.renew_device(client_id).map_err(failed)?, twists)
    }
}
