// What somebody typed into a form is put back when it was not taken: they had to sign in or show
// first who they are, it was refused, or no answer came.
//
// It is kept in this tab alone, until the next page or the answer of htmx, and for the person whose
// page it was; beside a page to sign in, for ten minutes and until it is another's. The server keeps
// nothing of it: whoever has the session's cookie could put something else in its place.
(() => {
  const KEY = "placet.typed";
  const MOST = 1_000_000; // characters
  const LONG = 600_000; // milliseconds
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
  const drop = () => sessionStorage.removeItem(KEY);
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
  drop();
  const rest = kept ? kept.at + LONG - Date.now() : 0; // the clock may have been set back
  const lasts = rest > 0 && rest <= LONG;
  if (detour) {
    if (!lasts || (person && person !== kept.person)) return;
    keep({ ...kept, asked: true });
    setTimeout(drop, rest);
    return; // the forms of the detour itself are not kept
  }
  const refusal = document.querySelector(".notices [data-refused]")?.closest(".notice");
  const { type } = performance.getEntriesByType("navigation")[0] || {};
  if (kept?.page === here && kept.person === person) {
    if (kept.asked) {
      if (lasts) restore(kept);
    } else if (refusal) restore(kept, refusal);
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

  let last = null; // the form whose text is kept
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (attribute(form, "method") !== "post") return;
      last = form;
      keep({ person, at: Date.now(), page: back(form), place: place(form), typed: read(form) });
    },
    true,
  );
  // Its answer is on the page. One that was not put there, such as the page to sign in, is followed.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (last && event.detail.requestConfig?.elt === last) drop();
  });
})();
