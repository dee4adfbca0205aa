// What somebody typed into a form is put back when it was not taken: they had to sign in or show
// first who they are, it was refused, or no answer came.
//
// It is kept in this tab alone, until the next page, and for the person whose page it was. The server
// keeps nothing of it: whoever has the session's cookie could put something else in its place.
(() => {
  const KEY = "placet.typed";
  const MOST = 1_000_000; // characters
  const UNKEPT = ["hidden", "password", "file", "submit", "button", "reset"];
  const person = document.currentScript.dataset.person;
  const here = location.pathname + location.search;
  const keeps = (c) =>
    c.name && c.type && !UNKEPT.includes(c.type) && c.autocomplete !== "one-time-code";
  const controls = (form) => [...form.elements].filter(keeps);
  // Attributes, because a control named "action" hides the property.
  const attribute = (form, name) => (form.getAttribute(name) || "").toLowerCase();
  const place = (form) => [attribute(form, "action"), form.closest("dialog")?.id || ""].join(" ");
  const back = (form) => form.elements.namedItem("next")?.value || here;
  const chosen = (control) => control.type === "checkbox" || control.type === "radio";

  // [name, its value, whether it is chosen] of each control
  const read = (form) =>
    controls(form).flatMap((c) => {
      if (c.type === "select-multiple")
        return [...c.options].map((o) => [c.name, o.value, o.selected]);
      return [[c.name, c.value, chosen(c) ? c.checked : null]];
    });

  const write = (form, typed) =>
    controls(form).forEach((c) => {
      if (c.type === "select-multiple") {
        [...c.options].forEach((o) => {
          o.selected = typed.some(([n, v, on]) => n === c.name && v === o.value && on);
        });
      } else if (chosen(c)) {
        c.checked = typed.some(([n, v, on]) => n === c.name && v === c.value && on);
      } else {
        const found = typed.findIndex(([n]) => n === c.name);
        if (found >= 0) c.value = typed.splice(found, 1)[0][1]; // two of one name keep their order
      }
      c.dispatchEvent(new Event("change", { bubbles: true }));
    });

  const keep = (kept) => {
    sessionStorage.removeItem(KEY);
    const text = JSON.stringify(kept);
    if (text.length > MOST) return; // it is typed again
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      /* more than a tab may keep */
    }
  };

  const say = (form, message) => {
    (form.querySelector(":scope > .card-body") || form.firstElementChild || form).before(message);
  };

  const unanswered = () => {
    const message = document.createElement("div");
    message.className = "alert alert-warning m-3 mb-0";
    message.setAttribute("role", "alert");
    message.textContent =
      "No answer came, and it is not known whether this was received: look whether it was done" +
      " before you send it again.";
    return message;
  };

  // Put it back, beside why it was not taken. A form without anything to type stays closed.
  const restore = (kept, message) => {
    const form = [...document.forms].find((f) => place(f) === kept.place);
    if (!form || !kept.typed.length) return;
    write(form, kept.typed);
    if (message) say(form, message);
    message?.querySelector("[data-dismiss]")?.remove();
    message?.classList.replace("notice", "m-3");
    const dialog = form.closest("dialog");
    if (dialog) dialog.dataset.open = ""; // placet.js opens it
  };

  const detour = document.querySelector("[data-keeps-typed]") !== null;
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
  if (detour) {
    if (kept) keep({ ...kept, asked: true });
    return; // the forms of the detour itself are not kept
  }
  sessionStorage.removeItem(KEY);
  const refusal = document.querySelector(".notices [data-refused]")?.closest(".notice");
  const { type } = performance.getEntriesByType("navigation")[0] || {};
  if (kept?.page === here && kept.person === person) {
    if (kept.asked) restore(kept);
    else if (refusal) restore(kept, refusal);
    else if (type === "back_forward" || type === "reload") restore(kept, unanswered());
  }
  // The page itself came back as it was left, with what was typed.
  window.addEventListener("pageshow", (event) => {
    const left = event.persisted && JSON.parse(sessionStorage.getItem(KEY) || "null");
    if (!left) return;
    sessionStorage.removeItem(KEY);
    const form = [...document.forms].find((f) => place(f) === left.place);
    if (form) say(form, unanswered());
  });

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (attribute(form, "method") !== "post") return;
      keep({ person, page: back(form), place: place(form), typed: read(form) });
    },
    true,
  );
})();
