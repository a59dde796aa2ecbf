//! Who may ask what by a session (C-03): the table of routes, walked by browsers.

use pointsman::{admin::listing, store::Role};
use serde_json::{Value, json};

use super::Browser;
use crate::admin::{
    api::Api,
    house::{ADMIN_TOKEN, TestHouse},
    rights::{expected, filled},
};

#[actix::test]
async fn c03_a_session_opens_what_the_key_behind_it_does() {
    let house = TestHouse::on_sqlite().await;
    let api = Api::of(&house).await;
    let mut people = vec![("the admin token".to_owned(), Role::Admin, true, json!({"token": ADMIN_TOKEN}))];
    for (role, web_login) in Role::ALL.into_iter().flat_map(|role| [(role, true), (role, false)]) {
        let key = house.console_key(role, web_login).await;
        people.push((format!("{role:?} {web_login}"), role, web_login, json!({"token": key})));
    }
    for (who, role, web_login, proof) in people {
        let mut browser = Browser::new(&api);
        browser.login(proof.clone()).await.ok(200);
        for (method, pattern, right) in listing() {
            let path = filled(pattern).replace("/1", "/999");
            let asked = browser.changing(method.clone(), &path, &Value::Null);
            let status = api.begin(asked).await.unwrap().status().as_u16();
            let told = format!("{who}: {method} {path}: {status}");
            if expected(role, web_login, &method, right) {
                assert!(status != 401 && status != 403, "{told}");
            } else {
                assert_eq!(status, 403, "{told}");
            }
            if path.ends_with("/logout") {
                assert_eq!(browser.get("/api/v1/me").await.status, 401, "{who}");
                browser.login(proof.clone()).await.ok(200);
            }
        }
    }
}
