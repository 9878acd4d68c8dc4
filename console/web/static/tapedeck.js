// The pages work without this script. It adds: times in the browser's zone, a better
// player, and live calls that update by themselves.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // ---- Times in the browser's zone. With the cookie the server writes the next page
  // in this zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const isPageZone = document.documentElement.dataset.zone === zone;
  const lasting = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    const two = (n) => String(n).padStart(2, "0");
    return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
  };

  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
  });
  const written = (at, as) => {
    const p = Object.fromEntries(parts.formatToParts(at).map(({ type, value }) => [type, value]));
    const day = `${p.year}-${p.month}-${p.day}`;
    const minute = `${p.hour}:${p.minute}`;
    switch (as) {
      case "day": return day;
      case "minute": return `${day} ${minute}`;
      case "clock": return `${minute}:${p.second}.${p.fractionalSecond}`;
      case "milli": return `${day} ${minute}:${p.second}.${p.fractionalSecond}`;
    }
    return `${day} ${minute}:${p.second}`;
  };
  const localTimes = (root) => {
    if (isPageZone) return;
    for (const time of all("time[datetime][data-as]", root)) {
      const at = new Date(time.getAttribute("datetime"));
      if (!isNaN(at)) time.textContent = written(at, time.dataset.as);
    }
  };
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `tz=${encodeURIComponent(zone).replace(/%2F/g, "/")}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  localTimes(document);
  if (!isPageZone) for (const name of all("[data-zone-name]")) name.textContent = zone;

  // ---- The menu of the account closes at a click elsewhere and at Escape.
  const who = one(".who");
  if (who) {
    document.addEventListener("click", (e) => { if (!who.contains(e.target)) who.open = false; });
    who.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && who.open) { who.open = false; one("summary", who).focus(); }
    });
  }

  // ---- On a phone the chosen period may be outside the screen: scroll to it.
  one(".segments [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  // ---- The list: choose some or all recordings of a page, and show how many.
  const zip = one("[data-zip]");
  if (zip) {
    const picks = all("input[name=id]");
    const every = one("[data-pick-all]");
    const words = one("[data-zip-words]");
    const count = () => {
      const n = picks.filter((p) => p.checked).length;
      zip.disabled = n === 0;
      words.textContent = n === 0 ? "Download selected as ZIP" : `Download ${n} as ZIP`;
      every.checked = n > 0 && n === picks.length;
      every.indeterminate = n > 0 && n < picks.length;
    };
    every.hidden = false;
    every.addEventListener("change", () => { for (const p of picks) p.checked = every.checked; count(); });
    for (const p of picks) p.addEventListener("change", count);
    window.addEventListener("pageshow", count); // a browser that goes back keeps the boxes
    count();
  }

  // ---- The player.
  const player = one("#player");
  if (player) {
    const audio = one("audio", player);
    const wave = one("[data-wave]", player);
    const line = one("[data-head]", player);
    const now = one("[data-now]", player);
    const button = one("[data-play]", player);
    const length = () => (isFinite(audio.duration) && audio.duration > 0 ? audio.duration : Number(player.dataset.duration) / 1000);
    const seek = (to) => { audio.currentTime = Math.min(Math.max(0, to), length()); show(); };
    const turn = () => { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); };

    one("[data-controls]", player).hidden = false;
    wave.classList.add("seekable");
    const show = () => {
      const at = `${(100 * audio.currentTime / length()).toFixed(3)}%`;
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.setAttribute("visibility", audio.currentTime > 0 || !audio.paused ? "visible" : "hidden");
      now.textContent = lasting(audio.currentTime * 1000);
    };
    const follow = () => { show(); if (!audio.paused && !audio.ended) requestAnimationFrame(follow); };
    const state = () => {
      one("span", button).textContent = audio.paused ? "Play" : "Pause";
      one("use", button).setAttribute("href", audio.paused ? "#i-play" : "#i-paused");
    };
    for (const event of ["timeupdate", "seeked", "loadedmetadata"]) audio.addEventListener(event, show);
    audio.addEventListener("play", () => { state(); follow(); });
    for (const event of ["pause", "ended"]) audio.addEventListener(event, () => { state(); show(); });
    button.addEventListener("click", turn);
    for (const jump of all("[data-jump]", player)) {
      jump.addEventListener("click", () => seek(audio.currentTime + Number(jump.dataset.jump)));
    }
    one("[data-speed]", player).addEventListener("change", (e) => { audio.playbackRate = Number(e.target.value); });
    wave.addEventListener("click", (e) => {
      const box = wave.getBoundingClientRect();
      seek(length() * (e.clientX - box.left) / box.width);
    });

    // Keys: only while the player has the focus, and except those that the focused
    // element uses itself.
    player.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.altKey || e.metaKey || e.target.tagName === "SELECT") return;
      const own = e.target === player;
      const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
      const jumps = { j: -10, l: 10 };
      if (own) Object.assign(jumps, { ArrowLeft: -5, ArrowRight: 5 });
      if (key in jumps) seek(audio.currentTime + jumps[key]);
      else if (key === "k" || (key === " " && own)) turn();
      else if (key === "Home" && own) seek(0);
      else return;
      e.preventDefault();
    });

    // The pauses' times become buttons that move the player there.
    for (const place of all("[data-seek]")) {
      const to = place.dataset.seek.split(":").reduce((sum, n) => 60 * sum + Number(n), 0);
      const go = document.createElement("button");
      go.type = "button";
      go.className = "go";
      go.textContent = place.textContent;
      go.setAttribute("aria-label", `Go to ${place.textContent}`);
      go.addEventListener("click", () => { seek(to); player.focus(); });
      place.replaceChildren(go);
    }
  }

  // ---- Live calls. The server sends each row as HTML.
  const table = one("[data-live]");
  if (table) {
    const rows = one("[data-live-rows]");
    const none = one("[data-live-none]");
    const say = one("[data-live-say]");
    const status = one("[data-live-status]");
    const failure = one("[data-live-error]");
    const states = ["on", "paused", "off"];
    const words = { on: "recording", paused: "paused", off: "not recording" };

    const count = () => {
      for (const state of states) one(`[data-count="${state}"]`).textContent = all(`tr[data-state="${state}"]`, rows).length;
      table.hidden = rows.children.length === 0;
      none.hidden = !table.hidden;
    };
    const make = (markup) => {
      const t = document.createElement("template");
      t.innerHTML = markup; // from our server, which has escaped the callers' names
      localTimes(t.content);
      return one("tr", t.content);
    };
    const tick = (root = rows) => {
      for (const span of all("[data-elapsed]", root)) {
        const since = Date.parse(span.dataset.elapsed);
        if (!isNaN(since)) span.textContent = lasting(Date.now() - since);
      }
    };
    // Only the changed cells of a row are replaced, so that a focused button keeps the
    // focus and a screen reader keeps its place.
    const put = ({ id, state, row }, quiet) => {
      const fresh = make(row);
      tick(fresh);
      const old = document.getElementById(`call-${id}`);
      if (!old) { rows.append(fresh); return; }
      const turned = old.dataset.state !== state;
      const focused = old.contains(document.activeElement);
      [...fresh.children].forEach((cell, i) => {
        if (old.children[i].outerHTML !== cell.outerHTML) old.children[i].replaceWith(cell.cloneNode(true));
      });
      old.dataset.state = state;
      if (focused && !old.contains(document.activeElement)) one("button", old)?.focus();
      if (turned && !quiet) {
        old.classList.remove("changed");
        void old.offsetWidth; // restarts the animation
        old.classList.add("changed");
        const who = one(".c-outside", old).textContent;
        say.textContent = `The call with ${who} is ${words[state]} now.`;
      }
    };

    const show = (text) => { status.textContent = text; status.hidden = !text; };
    const stream = new EventSource("/live/events");
    stream.addEventListener("calls", (e) => {
      const { calls } = JSON.parse(e.data);
      const there = new Set(calls.map((c) => `call-${c.id}`));
      for (const row of [...rows.children]) if (!there.has(row.id)) row.remove();
      for (const call of calls) put(call, true);
      show("");
      count();
    });
    stream.addEventListener("call", (e) => { put(JSON.parse(e.data)); count(); });
    stream.addEventListener("gone", (e) => {
      document.getElementById(`call-${JSON.parse(e.data).id}`)?.remove();
      count();
    });
    stream.addEventListener("away", () => show("The calls cannot be read just now. What is shown may be old."));
    stream.addEventListener("error", () => {
      show(stream.readyState === EventSource.CLOSED
        ? "This page does not follow the calls any more. Load it again."
        : "The connection is lost. What is shown may be old. Trying again…");
    });
    setInterval(tick, 1000);

    // The buttons work without loading the page again.
    rows.addEventListener("submit", async (e) => {
      const form = e.target.closest("form[data-switch]");
      if (!form) return;
      e.preventDefault();
      const button = e.submitter;
      button.setAttribute("aria-disabled", "true");
      failure.hidden = true;
      let wrong = "";
      try {
        const answer = await fetch(`/api/v1/calls/${encodeURIComponent(form.dataset.switch)}/recording`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRF-Token": form.elements.csrf.value },
          body: JSON.stringify({ action: button.value }),
        });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok) wrong = (await answer.json().catch(() => ({}))).detail || "It was not done.";
      } catch {
        wrong = "The server did not answer. Look how the call stands.";
      }
      button.removeAttribute("aria-disabled");
      if (wrong) {
        one("span", failure).textContent = `${wrong.charAt(0).toUpperCase()}${wrong.slice(1)}`.replace(/([^.…])$/, "$1.");
        failure.hidden = false;
      }
    });
  }
})();
