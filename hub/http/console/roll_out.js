// How an order gets out where not to all its devices at once: asked for in the form of an order, and told on its page.

import { call, path } from "./hub.js";
import { busy, field, h, question, setText } from "./dom.js";
import { list, number, t, time } from "./i18n.js";
import { part } from "./services.js";

/// What the form offers for an order in stages.
const STAGES = "1, 10, 100";
const FAILURES = "5";
const ADVANCE = "90";
const MAX_STAGES = 20;
const MAX_RATE = 100_000;

export const initialRollOut = () => ({ how: "atOnce", stages: STAGES, advance: ADVANCE, failures: "", begin: "", from: "", to: "", rate: "" });

/// A number from 1 to `max`; null where there is none, and undefined where it is another.
function numberIn(text, max) {
    if (text.trim() === "") return null;
    const value = Number(text);
    return Number.isInteger(value) && value >= 1 && value <= max ? value : undefined;
}

function stagesIn(text) {
    const stages = text.split(/[\s,;%，、]+/).filter(Boolean).map(Number);
    const rise = stages.every((stage, at) => Number.isInteger(stage) && stage > (stages[at - 1] ?? 0));
    return rise && stages.at(-1) === 100 && stages.length <= MAX_STAGES ? stages : undefined;
}

/// A plan in words, a line for each thing that it says.
export function planLines(plan) {
    const staged = plan.stages.length > 1;
    return [
        staged && t("rollOut.inStages", { stages: list(plan.stages.map((stage) => `${number(stage)} %`)) }),
        staged && (plan.by_hand ? t("rollOut.nextByHand") : t("rollOut.nextByItself", { percent: plan.advance_at })),
        plan.stop_at_failures && t("rollOut.stopsAt", { percent: plan.stop_at_failures }),
        plan.not_before && t("rollOut.begins", { time: time(plan.not_before) }),
        plan.hours && t("rollOut.atHours", plan.hours),
        plan.per_minute && t("rollOut.perMinute", { n: plan.per_minute }),
    ].filter(Boolean);
}

/// The part of an order's form. `touched` follows each change by hand.
export function rollOutForm(state, touched) {
    const ways = ["atOnce", "staged", "byHand"].map((way) => h("option", { value: way }, t(`rollOut.${way}`)));
    const fields = {
        how: field(t("rollOut.how"), h("select", {}, ways)),
        stages: field(t("rollOut.stages"), h("input", { autocomplete: "off", inputmode: "numeric" }), { hint: t("rollOut.stagesHint") }),
        advance: field(t("rollOut.advance"), h("input", { autocomplete: "off", inputmode: "numeric" }), { hint: t("rollOut.advanceHint") }),
        failures: field(t("rollOut.failures"), h("input", { autocomplete: "off", inputmode: "numeric" }), { hint: t("rollOut.failuresHint") }),
        begin: field(t("rollOut.begin"), h("input", { type: "datetime-local" })),
        from: field(t("rollOut.from"), h("input", { type: "time" })),
        to: field(t("rollOut.to"), h("input", { type: "time" }), { hint: t("rollOut.hoursHint") }),
        rate: field(t("rollOut.rate"), h("input", { autocomplete: "off", inputmode: "numeric" })),
    };
    for (const [name, { input }] of Object.entries(fields)) {
        input.value = state[name];
        input.addEventListener("input", () => {
            // Whoever wants stages is offered a limit, too.
            if (name === "how" && state.how === "atOnce" && state.failures === "") fields.failures.input.value = state.failures = FAILURES;
            state[name] = input.value;
            touched();
        });
    }
    const said = h("span", { class: "quiet" });
    const node = part([t("rollOut.title"), " ", said], Object.values(fields).map((one) => one.node));

    /// The plan for the hub; null: at once. What is wrong is told at its field and gives undefined.
    function plan({ tell = false } = {}) {
        const staged = state.how !== "atOnce";
        const found = {
            stages: staged ? stagesIn(state.stages) : [100],
            // Where the next stage begins by hand, it says nothing.
            advance: state.how === "staged" ? numberIn(state.advance, 100) ?? undefined : Number(ADVANCE),
            failures: numberIn(state.failures, 100),
            begin: state.begin === "" ? null : new Date(state.begin).getTime(),
            from: state.from === "" && state.to !== "" ? undefined : state.from,
            to: state.from !== "" && (state.to === "" || state.to === state.from) ? undefined : state.to,
            rate: numberIn(state.rate, MAX_RATE),
        };
        const wrong = Object.keys(found).filter((name) => found[name] === undefined);
        if (tell && wrong.length > 0) {
            node.open = true;
            for (const name of wrong) fields[name].show(t(`rollOut.${name}Wrong`, { max: MAX_RATE }));
            fields[wrong[0]].input.focus();
        }
        if (wrong.length > 0) return undefined;
        const { stages, advance, failures, begin, from, to, rate } = found;
        const hours = from === "" ? null : { from, to };
        if (!staged && failures === null && begin === null && hours === null && rate === null) return null;
        return { stages, by_hand: state.how === "byHand", advance_at: advance, stop_at_failures: failures, not_before: begin, hours, per_minute: rate };
    }

    function update() {
        fields.stages.node.hidden = state.how === "atOnce";
        fields.advance.node.hidden = state.how !== "staged";
        const wanted = plan();
        const lines = wanted ? planLines(wanted) : [];
        setText(said, wanted === undefined ? "" : lines.length > 0 ? lines.join(" · ") : t("rollOut.atOnce"));
    }
    return { node, plan, update };
}

/// Where an order is with its stages, in a few words; empty where there is nothing to be said of that.
export function stageText({ roll_out: rollOut, cancelled_at: cancelled }) {
    if (!rollOut || cancelled !== null) return "";
    const { plan, stage } = rollOut;
    if (stage === 0) return plan.not_before ? t("rollOut.begins", { time: time(plan.not_before) }) : "";
    return plan.stages.length > 1 ? t("rollOut.stageOf", { stage, stages: plan.stages.length, percent: plan.stages[stage - 1] }) : "";
}

/// The same for a card, where it counts more that nothing goes on.
export const pillText = (upgrade) =>
    upgrade.roll_out?.stopped && upgrade.cancelled_at === null ? t("rollOut.isStopped") : stageText(upgrade);

/// The buttons of an order's page, and why it has stopped. `keep` gets the order as it is then, and a word for the user.
export function rollOutControls(id, keep) {
    let known;
    const next = h("button", { type: "button", "data-needs": "order", on: { click: () => busy(next, begin) } }, t("rollOut.next"));
    const stop = h("button", { type: "button", "data-needs": "order", on: { click: () => busy(stop, halt) } }, t("rollOut.stop"));
    const resume = h("button", { type: "button", "data-needs": "order", on: { click: () => busy(resume, goOn) } }, t("rollOut.resume"));
    const stopped = h("p", { class: "problem" });

    async function ask(what, values, danger, effect = t(`rollOut.${what}Text`, values)) {
        const given = await question(t(`rollOut.${what}Title`, values), h("p", {}, effect), {
            yes: t(`rollOut.${what}Confirm`),
            no: t("action.back"),
            work: () => call("POST", path("upgrades", id, what)),
            danger,
        });
        if (given) keep(given.answer, t(`rollOut.${what}Done`));
    }

    const begin = () => {
        const { plan, stage } = known;
        return ask("next", { stage: stage + 1, stages: plan.stages.length, percent: plan.stages[stage] }, false);
    };
    const halt = () => ask("stop", {}, true);
    // What stopped by itself is resumed as if nothing had failed: that wants a thought.
    const goOn = () => {
        const { by, failed, ended } = known.stopped;
        return by === null ? ask("resume", { failed, n: ended }, true) : ask("resume", {}, false, t("rollOut.goOnText"));
    };

    function update(upgrade, active) {
        const here = upgrade?.cancelled_at === null;
        known = (here && upgrade.roll_out) || null;
        const why = known?.stopped;
        next.hidden = !known || Boolean(why) || known.stage >= known.plan.stages.length;
        stop.hidden = !here || Boolean(why) || !active;
        resume.hidden = !why;
        stopped.hidden = !why;
        if (why) setText(stopped, why.by === null ? t("rollOut.stopped", { time: time(why.at), failed: why.failed, n: why.ended }) : t("rollOut.stoppedBy", { time: time(why.at), name: why.by }));
    }
    return { buttons: [next, stop, resume], stopped, update };
}
