"use strict";
(() => {
    const $ = id => document.getElementById(id);
    const events = new EventSource("events"), ends = ["done", "stopped", "failed"];
    let state = $("state").textContent;

    /* What the reader has opened, and where the keys are, stays. */
    function put(id, html) {
        const at = $(id), open = [...at.querySelectorAll("details")].map(one => one.open);
        const held = [...at.querySelectorAll("[tabindex], summary, a")].indexOf(document.activeElement);
        at.innerHTML = html;
        at.querySelectorAll("details").forEach((one, i) => one.open = open[i]);
        if (held >= 0)
            at.querySelectorAll("[tabindex], summary, a")[held]?.focus();
    }

    function show(id, text) {
        if ($(id).textContent !== text)
            $(id).textContent = text;
    }

    function enter(now) {
        const over = ends.includes(now);
        state = now;
        show("state", state);
        show("pause", state === "paused" || state === "pausing" ? "Continue" : "Pause");
        $("pause").disabled = $("stop").disabled = over || state === "stopping";
        if (over)
            events.close();
    }

    for (const id of ["facts", "curves", "seen"])
        events.addEventListener(id, event => put(id, JSON.parse(event.data)));
    events.addEventListener("now", event => {
        const now = JSON.parse(event.data);
        show("message", now.message);
        enter(now.state);
    });
    events.onopen = () => show("said", "");
    events.onerror = () => show("said", "The connection is lost; trying again.");

    async function ask(wish) {
        try {
            const answer = await fetch(wish, { method: "POST", headers: { Authorization: "Bearer " + $("token").value.trim() } });
            const told = await answer.json();
            show("said", answer.ok ? "" : told.error);
        } catch (failure) {
            show("said", failure.message);
        }
    }

    $("pause").addEventListener("click", () => ask(state === "paused" || state === "pausing" ? "continue" : "pause"));
    $("stop").addEventListener("click", () => ask("stop"));
    $("controls").addEventListener("submit", event => event.preventDefault());
    if (location.hash.length > 1) { /* and out of sight */
        $("token").value = location.hash.slice(1);
        history.replaceState(null, "", location.pathname);
    }
    enter(state);
})();
