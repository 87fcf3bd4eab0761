// Who is there, and what that one may do. A control with `data-needs` is there for those with that role (hub.css); the hub itself refuses
// what a role may not.

import { store } from "./store.js";

export const ROLES = ["view", "order", "administer"];

const own = () => store.hub?.caller?.role ?? "view";

export const may = (role) => ROLES.indexOf(own()) >= ROLES.indexOf(role);

/// Shows what the one who is there may use, and nothing else.
export function showControls() {
    if (document.body.dataset.role !== own()) document.body.dataset.role = own();
}
