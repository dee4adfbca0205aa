// Says when Placet does not answer: what is shown grows old, and what is sent would not arrive.
(() => {
  const PATIENCE = 3000; // milliseconds until a form is sent without knowing
  const AWAY = [502, 503, 504]; // what a proxy answers in Placet's place
  const lost = document.getElementById("lost");
  const clock = (at) => `${placetTimes.local(at).slice(11, 16)} ${placetTimes.zone(at)}`;
  let heard = Date.now(); // when what is shown was true

  const say = (text) => {
    if (lost && lost.textContent !== text) lost.textContent = text;
  };
  const missed = () =>
    say(
      `Reconnecting… data as of ${clock(heard)}. You can keep working: you are told` +
        " if Placet cannot be reached.",
    );
  const found = () => {
    heard = Date.now();
    say("");
  };
  ["htmx:sendError", "htmx:timeout", "placet:lost"].forEach((name) => {
    document.addEventListener(name, missed);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status >= 500) missed();
    if (status === 401) say(`You were signed out. Data as of ${clock(heard)}: reload to sign in.`);
  });
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 400) found();
  });
  document.addEventListener("placet:found", found);

  // "away" is certain; a server that is only slow is sent to all the same.
  const ask = async () => {
    try {
      const answer = await fetch("/livez", {
        method: "HEAD",
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      return AWAY.includes(answer.status) ? "away" : "there";
    } catch (error) {
      return error.name === "TimeoutError" ? "slow" : "away";
    }
  };
  window.addEventListener("offline", missed);
  window.addEventListener("online", async () => {
    if ((await ask()) === "there") say("");
  });

  const unsent = (form) => {
    form.querySelector("[data-unsent]")?.remove();
    const message = document.createElement("div");
    message.className = "alert alert-warning m-3 mb-0";
    message.setAttribute("role", "alert");
    message.dataset.unsent = "";
    message.textContent =
      `Could not reach Placet at ${clock(Date.now())}. Nothing was sent, and what you typed is` +
      " still here: try again.";
    (form.querySelector(":scope > .card-body") || form.firstElementChild).before(message);
  };

  // A form is sent when Placet is there to take it; else the page, and what was typed, stays.
  const asked = new WeakSet();
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const isPost = (form.getAttribute("method") || "").toLowerCase() === "post";
    if (!isPost || event.defaultPrevented || "predict" in form.dataset) return;
    if (form.dataset.reached !== undefined) {
      delete form.dataset.reached;
      return;
    }
    event.preventDefault();
    if (asked.has(form) || form.hasAttribute("aria-busy")) return;
    asked.add(form);
    const answer = await ask();
    asked.delete(form);
    if (answer === "away") {
      unsent(form);
      return;
    }
    if (!form.isConnected) {
      form.hidden = true; // the part of the page that it stood in was renewed meanwhile
      document.body.append(form);
    }
    form.dataset.reached = "";
    form.requestSubmit(event.submitter);
  });
})();
