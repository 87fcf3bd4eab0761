//! The tables, and how a database of an earlier hub gets them. In SQLite's words; other engines have others for types.

/// Each step takes a database from one version to the next; steps are only ever added. Hubs of the version before go on with
/// the database meanwhile, so a step only adds.
pub const STEPS: &[&str] = &[
    "
CREATE TABLE devices (
    client_id TEXT PRIMARY KEY,
    product_id TEXT NOT NULL,
    device_name TEXT NOT NULL,
    -- The decoded secret; NULL for a device that has a certificate instead.
    key BLOB,
    -- Serial number of the only certificate it may use, in hex; NULL: any of the hub's CA with its client id.
    serial TEXT,
    version TEXT,
    reported_at INTEGER,
    -- State and percentage of its upgrade as it told them last.
    state TEXT,
    percent INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE firmware (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- In URLs, and of the file in the firmware folder.
    file_name TEXT NOT NULL,
    -- Where a file is that lies elsewhere.
    path BLOB,
    -- Kept for the history.
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX firmware_version ON firmware (product_id, version) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX firmware_file ON firmware (file_name) WHERE removed_at IS NULL;
CREATE TABLE upgrades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    firmware_id INTEGER NOT NULL REFERENCES firmware (id),
    scope TEXT NOT NULL,
    -- A JSON array.
    from_versions TEXT NOT NULL,
    -- Takes a device again whose upgrade has failed: the order of --upgrade-on-report.
    again INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    cancelled_at INTEGER
) STRICT;
CREATE INDEX upgrades_standing ON upgrades (firmware_id) WHERE scope = 'all' AND cancelled_at IS NULL;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upgrade_id INTEGER NOT NULL REFERENCES upgrades (id),
    client_id TEXT NOT NULL,
    from_version TEXT,
    state TEXT NOT NULL,
    percent INTEGER,
    result_code INTEGER,
    result_msg TEXT,
    -- How often the device was told.
    tries INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_device ON jobs (client_id, id);
CREATE INDEX jobs_upgrade ON jobs (upgrade_id, client_id);
CREATE INDEX jobs_waiting ON jobs (updated_at) WHERE state IN ('waiting', 'sent');
",
    "
CREATE TABLE shadows (
    client_id TEXT PRIMARY KEY REFERENCES devices (client_id) ON DELETE CASCADE,
    -- JSON objects.
    reported TEXT NOT NULL,
    desired TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- Requests to devices (RRPC). Ids are in topics: none comes twice.
CREATE TABLE rrpcs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    request BLOB NOT NULL,
    -- The first one.
    answer BLOB,
    answers INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    answered_at INTEGER,
    deadline INTEGER NOT NULL
) STRICT;
CREATE INDEX rrpcs_device ON rrpcs (client_id, id);
CREATE TABLE remote_configs (
    product_id TEXT PRIMARY KEY,
    -- Goes on where a configuration was removed.
    version INTEGER NOT NULL,
    payload TEXT,
    enabled INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What each device was told last.
CREATE TABLE remote_config_devices (
    client_id TEXT PRIMARY KEY,
    product_id TEXT NOT NULL,
    version INTEGER,
    result INTEGER NOT NULL,
    pushed INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- Devices behind gateways.
CREATE TABLE bindings (
    client_id TEXT PRIMARY KEY REFERENCES devices (client_id) ON DELETE CASCADE,
    gateway TEXT NOT NULL REFERENCES devices (client_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_gateway ON bindings (gateway, client_id);
",
    "
CREATE TABLE log_lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    -- Seconds by the device's clock.
    sent_at INTEGER,
    received_at INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX log_lines_device ON log_lines (client_id, id);
CREATE TABLE log_levels (
    client_id TEXT PRIMARY KEY,
    level INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- The products whose devices may register.
CREATE TABLE products (
    product_id TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    enabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- Of hubs on several machines.
CREATE TABLE shared_keys (
    name TEXT PRIMARY KEY,
    content BLOB NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- Files for devices, and of devices.
CREATE TABLE resources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    -- From the device's side.
    direction TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    state TEXT NOT NULL,
    percent INTEGER,
    result_code INTEGER,
    result_msg TEXT,
    -- Whether the file is in the folder.
    stored INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX resources_device ON resources (client_id, id);
",
    "
-- Of signed firmware: who signed it, as its header says, and when.
ALTER TABLE firmware ADD COLUMN signer TEXT;
ALTER TABLE firmware ADD COLUMN signed_at INTEGER;
",
    "
-- How many are where, without a look at those that have ended.
CREATE INDEX jobs_open ON jobs (state) WHERE state IN ('waiting', 'sent', 'downloading', 'burning');
",
    "
-- Who uses the console.
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    -- Of what is made of the token; NULL: comes in by a proxy only.
    token_hash TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_token ON users (token_hash);
-- What they have done.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT
) STRICT;
",
    "
-- What is asked of a fleet finds its rows by these.
CREATE INDEX devices_product ON devices (product_id, client_id);
CREATE INDEX jobs_unfinished ON jobs (client_id) WHERE state IN ('waiting', 'sent', 'downloading', 'burning');
CREATE INDEX jobs_states ON jobs (upgrade_id, state);
CREATE INDEX remote_config_devices_product ON remote_config_devices (product_id, client_id);
",
    "
-- Words that people have put on devices.
CREATE TABLE device_tags (
    client_id TEXT NOT NULL REFERENCES devices (client_id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (client_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_tags_tag ON device_tags (product_id, tag, client_id);
-- How many of a product's devices have a tag.
CREATE TABLE tags (
    product_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (product_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_version ON devices (product_id, version, client_id);
ALTER TABLE upgrades ADD COLUMN tag TEXT;
DROP INDEX upgrades_standing;
CREATE INDEX upgrades_standing ON upgrades (firmware_id) WHERE scope IN ('all', 'tagged') AND cancelled_at IS NULL;
",
    "
-- Orders that do not reach their devices all at once.
CREATE TABLE roll_outs (
    upgrade_id INTEGER PRIMARY KEY REFERENCES upgrades (id),
    -- As it was ordered, JSON.
    plan TEXT NOT NULL,
    -- How many have begun, and when the last one of them did.
    stage INTEGER NOT NULL,
    stage_at INTEGER,
    -- When and at what it stopped.
    stopped_at INTEGER,
    stopped_failed INTEGER NOT NULL,
    stopped_ended INTEGER NOT NULL,
    -- Jobs from before somebody resumed it, which do not count.
    forgiven_failed INTEGER NOT NULL,
    forgiven_ended INTEGER NOT NULL,
    -- When the next device may be told, in microseconds.
    next_turn INTEGER NOT NULL,
    -- Whether there may be something to do.
    active INTEGER NOT NULL
) STRICT;
CREATE INDEX roll_outs_active ON roll_outs (upgrade_id) WHERE active = 1;
-- From 0.
ALTER TABLE jobs ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
-- Its device must not be told yet.
ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_held ON jobs (upgrade_id, stage, id) WHERE state IN ('waiting', 'sent') AND held = 1;
DROP INDEX jobs_waiting;
CREATE INDEX jobs_due ON jobs (updated_at) WHERE state IN ('waiting', 'sent') AND held = 0;
DROP INDEX jobs_states;
CREATE INDEX jobs_stages ON jobs (upgrade_id, state, stage);
",
    "
-- An order's jobs in a state, in order of client id.
CREATE INDEX jobs_states ON jobs (upgrade_id, state, client_id);
",
    "
-- Who stopped an order by hand.
ALTER TABLE roll_outs ADD COLUMN stopped_by TEXT;
-- The minutes of the day, UTC, between which its devices are told; not in the plan, which hubs of the version before read.
ALTER TABLE roll_outs ADD COLUMN hours_from INTEGER;
ALTER TABLE roll_outs ADD COLUMN hours_to INTEGER;
-- Whether it is outside of them, and all jobs are held.
ALTER TABLE roll_outs ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
",
    "
-- What hubs on several machines keep together. SQLite has a file for it: others would look for changes at each commit.
CREATE TABLE agreements (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
) STRICT;
",
    "
-- When devices were seen last, to a minute.
CREATE TABLE device_seen (
    client_id TEXT PRIMARY KEY REFERENCES devices (client_id) ON DELETE CASCADE,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_seen_at ON device_seen (at, client_id);
",
];

/// What the next version of the hub may have to do: all that a step can.
#[cfg(any(test, feature = "later"))]
const LATER: &str = "
CREATE TABLE later (
    job INTEGER PRIMARY KEY REFERENCES jobs (id),
    name TEXT
) STRICT;
ALTER TABLE devices ADD COLUMN later TEXT;
ALTER TABLE jobs ADD COLUMN later INTEGER NOT NULL DEFAULT 0;
DROP INDEX jobs_unfinished;
CREATE INDEX jobs_later ON jobs (client_id, later);
";

/// The steps that this hub knows. In tests, the program is a later hub's where a variable says so.
pub fn steps() -> Vec<&'static str> {
    #[cfg(feature = "later")]
    if std::env::var_os("HUB_IS_LATER").is_some() {
        return [STEPS, &[LATER]].concat();
    }
    STEPS.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_hub_can_go_on_with_what_a_step_has_made() {
        for sql in STEPS.iter().chain(&[LATER]) {
            let lines: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            for statement in lines.join(" ").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                // Without an index its statements are slower.
                let harmless = ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX ", "DROP INDEX "];
                let column = statement.starts_with("ALTER TABLE ")
                    && statement.contains(" ADD COLUMN ")
                    && (!statement.contains(" NOT NULL") || statement.contains(" DEFAULT "));
                assert!(column || harmless.iter().any(|word| statement.starts_with(word)), "{statement}");
            }
        }
    }
}
