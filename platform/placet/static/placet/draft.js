// Parts of a draft are saved one by one: what was typed and not saved is marked, and the draft is
// neither frozen without it nor left unasked.
(() => {
  const draft = document.getElementById("draft");
  const checklist = () => document.getElementById("checklist");
  if (!draft || !checklist()) return;
  let leaving = false; // to sign in, which what was typed outlives, or for good

  const chosen = (list) =>
    Math.max(
      0,
      [...list.options].findIndex((o) => o.defaultSelected),
    );
  // Whether a control holds something else than the server gave it.
  const changed = (control) => {
    if (control.type === "checkbox") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") return control.selectedIndex !== chosen(control);
    return "defaultValue" in control && control.value !== control.defaultValue;
  };
  const parts = () => [...draft.querySelectorAll("form[data-part]")];
  const unsaved = () =>
    parts().filter((form) => "sent" in form.dataset || [...form.elements].some(changed));
  const title = (form) => form.querySelector(".card-title").textContent;

  const list = (names) =>
    names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  const show = () => {
    const found = unsaved();
    for (const form of parts()) form.classList.toggle("is-unsaved", found.includes(form));
    const said = checklist().querySelector("[data-unsaved]");
    const verb = found.length === 1 ? "has" : "have";
    const text = `${list(found.map(title))} ${verb} unsaved changes: save first.`;
    said.hidden = !found.length;
    if (said.textContent !== text) said.textContent = text;
    return found;
  };
  for (const name of ["input", "change", "htmx:afterSettle", "placet:renewed"]) {
    document.addEventListener(name, show);
  }
  show();

  document.addEventListener(
    "submit",
    (event) => {
      if (event.target.closest("#discard")) leaving = true;
      if (event.target !== checklist()) return;
      const [first] = show();
      if (!first) return;
      event.preventDefault();
      event.stopPropagation();
      const button = first.querySelector(".card-footer .btn-primary");
      button.scrollIntoView({ block: "center" });
      button.focus({ preventScroll: true });
    },
    true,
  );
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && unsaved().length) event.preventDefault();
  });

  // A form that was answered with another page, such as the one to sign in, is not swapped away.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status < 400 && !xhr.responseText.includes('id="draft"')) {
      event.detail.shouldSwap = false;
      leaving = true;
      location.assign(xhr.responseURL);
    }
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status < 500) {
      document.getElementById("lost").textContent =
        "Nothing was saved: this page is out of date, or you may not do this. Reload it and try again.";
    }
  });
})();
