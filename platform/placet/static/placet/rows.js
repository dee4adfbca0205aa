// Tables that one types into get their rows here, at once: whoever presses the button goes on typing
// in the new row, and no answer of the server takes away what was typed meanwhile.
(() => {
  const first = (row) => row.querySelector("input");
  const changed = (element) => element.dispatchEvent(new Event("input", { bubbles: true }));

  const add = (button) => {
    const table = document.getElementById(`${button.value}-rows`);
    const row = table.querySelector("template").content.cloneNode(true).firstElementChild;
    table.tBodies[0].append(row);
    table.hidden = false;
    first(row).focus();
    changed(first(row));
  };

  const drop = (button) => {
    const [row, table, form] = [button.closest("tr"), button.closest("table"), button.form];
    const beside = row.nextElementSibling || row.previousElementSibling;
    const stored = [...row.querySelectorAll("input")].some((input) => input.defaultValue);
    row.remove();
    if (stored) form.dataset.sent = ""; // nothing that is left tells that it was there
    table.hidden = !table.tBodies[0].rows.length;
    const more = document.getElementById(`${button.value.split(".")[0]}-more`);
    (beside?.querySelector("[name=drop]") || more).focus();
    changed(form);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=more], button[name=drop]");
    if (!button) return;
    event.preventDefault();
    (button.name === "more" ? add : drop)(button);
  });

  // What is typed into a part while it is being saved stays as it stands, and is not saved yet.
  const sent = new Map();
  const late = new Map();
  const part = (element) => element?.closest?.("form[data-part]");
  const typed = (form) =>
    [...form.elements].map((c) => [c.name, c.type === "checkbox" ? c.checked : c.value]).join("\n");
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const form = part(detail.elt);
    if (form) sent.set(form.id, typed(form));
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const form = part(detail.target);
    if (!form || !sent.has(form.id) || typed(form) === sent.get(form.id)) return;
    const focus = form.contains(document.activeElement) && document.activeElement;
    late.set(form.id, [form.querySelector(":scope > .card-body"), focus]);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, [body, focus]] of late) {
      const form = document.getElementById(id);
      if (form.contains(body)) continue; // another part was swapped
      late.delete(id);
      form.querySelector(":scope > .card-body").replaceWith(body);
      form.dataset.sent = "";
      if (focus) focus.focus();
      changed(form);
    }
  });
})();
