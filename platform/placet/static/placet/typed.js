// What somebody typed into a form is put back when they had to sign in or show first who they are.
//
// It is kept in this tab alone, for this one detour and for the person whose page it was. The server
// keeps nothing of it: whoever has the session's cookie could put something else in its place.
(() => {
  const KEY = "placet.typed";
  const UNKEPT = ["hidden", "password", "file", "submit", "button", "reset"];
  const person = document.currentScript.dataset.person;
  const here = location.pathname + location.search;
  const controls = (form) =>
    [...form.elements].filter((c) => c.name && c.type && !UNKEPT.includes(c.type));
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

  const detour = document.querySelector("[data-keeps-typed]") !== null;
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
  if (detour) {
    if (kept) sessionStorage.setItem(KEY, JSON.stringify({ ...kept, asked: true }));
    return; // the forms of the detour itself are not kept
  }
  sessionStorage.removeItem(KEY);
  if (kept?.asked && kept.page === here && kept.person === person) {
    const form = [...document.forms].find((f) => place(f) === kept.place);
    if (form) {
      write(form, kept.typed);
      const dialog = form.closest("dialog");
      if (dialog) dialog.dataset.open = ""; // placet.js opens it
    }
  }

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (attribute(form, "method") !== "post") return;
      try {
        sessionStorage.setItem(
          KEY,
          JSON.stringify({ person, page: back(form), place: place(form), typed: read(form) }),
        );
      } catch {
        /* more than a tab may keep: it is typed again */
      }
    },
    true,
  );
})();
