//! Users of the console: who may do what, and what is noted of it.

mod common;

use std::net::Shutdown;
use std::time::{Duration, Instant};

use common::console::Console;
use common::{Desk, Hub, ONE, PATIENCE, PRODUCT};
use serde_json::{json, Value};

const TOKEN: &str = "correct-horse-battery";

fn start(args: &[&str]) -> (Desk, Hub) {
    let desk = Desk::new();
    desk.write("token", TOKEN.as_bytes());
    let hub = desk.start_plain(&[&["--console-token-file", "token"], args].concat());
    (desk, hub)
}

fn with_token(hub: &Hub, token: &str) -> Console {
    Console::of(hub).with("authorization", &format!("Bearer {token}"))
}

/// Adds a user and returns the way to the console by the token.
fn add(hub: &Hub, name: &str, role: &str) -> Console {
    let added = with_token(hub, TOKEN).post("/api/users", &json!({ "name": name, "role": role })).good(201);
    with_token(hub, added["token"].as_str().expect("a token"))
}

#[test]
fn each_role_may_do_what_it_is_for() {
    let (_desk, hub) = start(&[]);
    let root = with_token(&hub, TOKEN);
    let [viewer, orderer, admin] = ["view", "order", "administer"].map(|role| add(&hub, role, role));
    assert_eq!(root.get("/api/hub").good(200)["caller"], json!({ "name": "console", "role": "administer" }));
    assert_eq!(viewer.get("/api/hub").good(200)["caller"], json!({ "name": "view", "role": "view" }));

    // Every operation that there is.
    let description = root.get("/api/openapi.json").good(200);
    let nobody = Console::of(&hub);
    for (path, item) in description["paths"].as_object().expect("paths") {
        for method in ["get", "post", "delete"].into_iter().filter(|method| item[method].is_object()) {
            let operation = (method, path.as_str());
            let request = |console: &Console| {
                let path = path.replace(['{', '}'], "");
                console.request(&method.to_uppercase(), &path, Some("application/json"), &b"{"[..])
            };
            if matches!(operation, (_, "/api/session" | "/healthz")) {
                assert_ne!(request(&nobody).status, 401, "{operation:?}");
                continue;
            }
            assert_eq!(request(&nobody).status, 401, "{operation:?}");
            if method == "get" && !matches!(path.as_str(), "/api/users" | "/api/audit") {
                continue;
            }
            assert!(request(&viewer).refusal(403).starts_with("view may not"), "{operation:?}");
        }
    }
    viewer.get("/api/devices").good(200);
    let firmware = orderer.upload(&format!("product_id={PRODUCT}&version=2.0"), b"content").good(201);
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    viewer.post("/api/upgrades", &order).refusal(403);
    orderer.post("/api/upgrades", &order).good(201);
    orderer.delete(&format!("/api/devices/{ONE}")).refusal(403);
    orderer.get("/api/users").refusal(403);
    admin.delete(&format!("/api/devices/{ONE}")).good(204);
}

#[test]
fn users_come_and_go() {
    let (desk, hub) = start(&["--state", "state"]);
    let (root, alice) = (with_token(&hub, TOKEN), add(&hub, "alice@example.com", "order"));
    let again = json!({ "name": "alice@example.com", "role": "view" });
    assert_eq!(root.post("/api/users", &again).json()["code"], "user_exists");
    for name in ["", "console", "local", "two words"] {
        root.post("/api/users", &json!({ "name": name, "role": "view" })).refusal(400);
    }
    let list = root.get("/api/users").good(200);
    assert_eq!((&list["users"][0]["name"], &list["users"][0]["role"]), (&json!("alice@example.com"), &json!("order")));
    // A browser gets a cookie for a user's token, and the database has nothing that opens anything.
    let token = alice.headers[0].1.trim_start_matches("Bearer ").to_owned();
    let session = Console::of(&hub).post("/api/session", &json!({ "token": token }));
    session.good(204);
    let cookie = session.header("set-cookie").split(';').next().expect("cookie").to_owned();
    let browser = Console::of(&hub).with("cookie", &cookie);
    assert_eq!(browser.get("/api/hub").good(200)["caller"]["name"], "alice@example.com");
    let kept: Vec<u8> = ["hub.db", "hub.db-wal"]
        .into_iter()
        .flat_map(|name| std::fs::read(desk.path("state").join(name)).unwrap_or_default())
        .collect();
    let ticket = cookie.split('=').nth(1).expect("a ticket");
    for secret in [token.as_str(), ticket] {
        assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));
        with_token(&hub, ticket).get("/api/hub").refusal(401);
    }
    // Another role counts at once, for the token that there is.
    let role = "/api/users/alice@example.com/role";
    assert_eq!(root.post(role, &json!({ "role": "administer" })).good(200)["role"], "administer");
    alice.get("/api/users").good(200);
    assert_eq!(alice.post(role, &json!({ "role": "view" })).good(200)["has_token"], true);
    alice.post(role, &json!({ "role": "administer" })).refusal(403);
    assert_eq!(browser.get("/api/hub").good(200)["caller"]["role"], "view");
    root.post("/api/users/nobody/role", &json!({ "role": "view" })).refusal(404);
    root.post(role, &json!({ "role": "king" })).refusal(400);
    root.delete("/api/users/alice@example.com").good(204);
    alice.get("/api/hub").refusal(401);
    browser.get("/api/hub").refusal(401);
    root.delete("/api/users/alice@example.com").refusal(404);
}

fn entries(console: &Console) -> Vec<Value> {
    console.get("/api/audit").good(200)["entries"].as_array().expect("entries").clone()
}

#[test]
fn what_is_changed_is_noted_and_what_is_refused_by_role() {
    let (_desk, hub) = start(&[]);
    let (root, viewer) = (with_token(&hub, TOKEN), add(&hub, "bob", "view"));
    let what = json!({ "product_id": PRODUCT, "device_name": "new", "proof": "secret", "secret": common::SECRET });
    viewer.get("/api/devices").good(200);
    viewer.post("/api/devices", &what).refusal(403);
    Console::of(&hub).post("/api/devices", &what).refusal(401);
    root.post("/api/devices", &what).good(201);
    root.post("/api/devices", &what).refusal(409);
    let all = entries(&root);
    let told: Vec<_> = all.iter().map(|entry| json!([entry["name"], entry["request"], entry["status"]])).collect();
    assert_eq!(
        told,
        [
            json!(["console", "POST /api/devices", 409]),
            json!(["console", "POST /api/devices", 201]),
            json!(["bob", "POST /api/devices", 403]),
            json!(["console", "POST /api/users", 201]),
        ]
    );
    assert_eq!(all[1]["detail"], "device ABCDEFGHIJnew");
    assert!(all[0]["detail"].as_str().is_some_and(|text| text.contains("ABCDEFGHIJnew")));
    assert!(!Value::from(all.clone()).to_string().contains(common::SECRET));
    let before = root.get(&format!("/api/audit?limit=1&before={}", all[1]["id"])).good(200);
    assert_eq!(before["entries"], json!([all[2]]));
    assert_eq!(root.get("/api/audit?name=bob").good(200)["entries"], json!([all[2]]));
    assert_eq!(root.get("/api/audit?name=carol").good(200)["entries"], json!([]));
    // Whoever goes away at once is noted all the same.
    let head = "DELETE /api/devices/ABCDEFGHIJnew HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer";
    let stream = root.raw(&format!("{head} {TOKEN}\r\n\r\n"));
    stream.shutdown(Shutdown::Both).expect("gone");
    let within = |limit: Duration, is_so: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !is_so() {
            if begin.elapsed() > limit {
                return false;
            }
        }
        true
    };
    let is_gone = || !root.get("/api/devices").good(200).to_string().contains("ABCDEFGHIJnew");
    let is_noted = || entries(&root)[0]["request"] == "DELETE /api/devices/ABCDEFGHIJnew";
    // It may have gone away before the hub had read anything: then nothing is done.
    assert!(!within(PATIENCE / 30, &is_gone) || within(PATIENCE, &is_noted), "done, and not noted");
}

#[test]
fn who_stops_an_order_is_named() {
    let (_desk, hub) = start(&[]);
    let (root, alice, bob) = (with_token(&hub, TOKEN), add(&hub, "alice", "order"), add(&hub, "bob", "view"));
    let device = json!({ "product_id": PRODUCT, "device_name": "new", "proof": "secret", "secret": common::SECRET });
    root.post("/api/devices", &device).good(201);
    let firmware = root.upload(&format!("product_id={PRODUCT}&version=2.0"), &common::firmware()).good(201);
    let order = alice.post("/api/upgrades", &json!({ "firmware_id": firmware["id"], "scope": "all" })).good(201);
    let stop = format!("/api/upgrades/{}/stop", order["id"]);
    bob.post(&stop, &json!({})).refusal(403);
    let stopped = alice.post(&stop, &json!({})).good(200)["roll_out"].clone();
    assert_eq!((&stopped["stopped"]["by"], &stopped["stage"]), (&json!("alice"), &json!(1)));
    assert!(alice.post(&stop, &json!({})).refusal(409).contains("has stopped"));
    let noted: Vec<_> = entries(&root).iter().take(3).map(|entry| json!([entry["name"], entry["status"]])).collect();
    assert_eq!(noted, [json!(["alice", 409]), json!(["alice", 200]), json!(["bob", 403])]);
    assert_eq!(entries(&root)[1]["request"], format!("POST {stop}"));
}

#[test]
fn a_hub_of_users_lets_nobody_in_without_a_token() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state", "--console-users", "--console", "0.0.0.0:0"]);
    Console::of(&hub).get("/api/hub").refusal(401);
    let run = |args: &[&str]| {
        let output = desk.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let added = run(&["user", "add", "alice", "--role", "view", "--state", "state"]);
    let token = added.lines().find_map(|line| line.strip_prefix("token: ")).expect("a token");
    with_token(&hub, token).get("/api/devices").good(200);
    run(&["user", "add", "bob", "--role", "order", "--no-token", "--state", "state"]);
    let list = run(&["user", "--state", "state"]);
    assert!(list.lines().any(|line| line.starts_with("alice") && line.contains("view")), "{list}");
    assert!(list.lines().any(|line| line.starts_with("bob") && line.contains("proxy")), "{list}");
    run(&["user", "change", "bob", "--role", "administer", "--state", "state"]);
    run(&["user", "remove", "alice", "--state", "state"]);
    with_token(&hub, token).get("/api/devices").refusal(401);
    let audit = run(&["audit", "--state", "state"]);
    assert!(audit.contains("DELETE /api/users/alice") && audit.contains("bob may order"), "{audit}");
    assert!(audit.contains("bob may administer"), "{audit}");
    let nobodys = run(&["audit", "--name", "bob", "--state", "state"]);
    assert!(nobodys.contains("nothing was done"), "{nobodys}");
}

#[test]
fn a_proxy_says_who_asks() {
    let desk = Desk::new();
    desk.write("token", TOKEN.as_bytes());
    let args = ["--console-token-file", "token", "--console-proxy", "127.0.0.1", "--console-proxy-header", "X-User"];
    let hub = desk.start_plain(&args);
    let root = with_token(&hub, TOKEN);
    let added = root.post("/api/users", &json!({ "name": "alice", "role": "order", "token": false })).good(201);
    assert_eq!((&added["token"], &added["user"]["has_token"]), (&Value::Null, &json!(false)));
    let by_proxy = |name: &str| Console::of(&hub).with("x-user", name);
    assert_eq!(by_proxy("alice").get("/api/hub").good(200)["caller"], json!({ "name": "alice", "role": "order" }));
    assert!(by_proxy("mallory").get("/api/hub").refusal(403).contains("mallory"));
    by_proxy("").get("/api/hub").refusal(401);
    by_proxy("alice").with("x-user", "root").get("/api/hub").refusal(401);
    Console::of(&hub).with("x-forwarded-user", "alice").get("/api/hub").refusal(401);
    by_proxy("alice").with("origin", "http://evil.example").post("/api/upgrades", &json!({})).refusal(403);
    drop(hub);
    // Any other address is not believed.
    let hub = desk.start_plain(&["--console-token-file", "token", "--console-proxy", "10.0.0.7"]);
    Console::of(&hub).with("x-forwarded-user", "alice").get("/api/hub").refusal(401);
}
