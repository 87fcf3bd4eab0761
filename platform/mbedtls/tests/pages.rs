//! What the pages say of the TLS that is linked.

#[test]
fn the_security_page_names_the_version() {
    // Of the crate that carries the sources; who builds another one, or takes the system's, reads no page for it.
    if std::env::var_os("IOT_MBEDTLS_DIR").is_none() && cfg!(not(feature = "system")) {
        let name = format!("mbedTLS {},", iot_mbedtls::VERSION);
        assert!(include_str!("../../../SECURITY.md").contains(&name), "SECURITY.md does not name {name}");
    }
}
