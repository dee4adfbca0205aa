// What is wrong with a form that was refused stands beside each field too, and the first of them has
// the focus. The summary above the form names them where there are several, and is all there is
// without this script.
(() => {
  const named = (form, name) => {
    const found = form.elements.namedItem(name);
    return found instanceof RadioNodeList ? found[0] : found;
  };

  // The field of a pointer such as "serving/replicas", or of a name.
  const field = (form, pointer) =>
    [pointer, ...pointer.split("/").reverse()]
      .map((name) => named(form, name))
      .find((control) => control && control.type !== "hidden");

  const mark = (control, fault) => {
    control.setAttribute("aria-invalid", "true");
    control.classList.add("is-invalid");
    const described = [control.getAttribute("aria-describedby"), fault.id].filter(Boolean);
    control.setAttribute("aria-describedby", described.join(" "));
  };

  const beside = (control, name, detail) => {
    const fault = document.createElement("div");
    fault.className = "state fail text-wrap text-break";
    fault.id = `${control.id || name.replaceAll("/", "-")}-fault`;
    fault.textContent = `✕ ${detail}`;
    const isRow = getComputedStyle(control.parentElement).display.includes("flex");
    (control.closest(".input-group") || (isRow ? control.parentElement : control)).after(fault);
    mark(control, fault);
  };

  const called = (control) =>
    (control.labels?.[0]?.textContent || control.ariaLabel || control.name).trim();

  const show = (form, takesFocus) => {
    const lines = form.querySelectorAll("[data-fault-of]");
    lines.forEach((line) => {
      const name = line.dataset.faultOf;
      const control = field(form, name);
      if (!control) return;
      const detail = line.textContent.slice(name.length + 2);
      line.textContent = `${called(control).replace(/[?:]$/, "")}: ${detail}`;
      beside(control, name, detail);
      if (lines.length === 1) line.parentElement.remove();
    });
    // Those that the server put beside their field already.
    form.querySelectorAll("[id$='-fault']:has(li)").forEach((fault) => {
      const control = field(form, fault.id.slice(0, -"-fault".length));
      if (control) mark(control, fault);
    });
    const wrong = [...form.querySelectorAll("[aria-invalid=true]")];
    const names = form.querySelector("[data-at-fault]");
    if (names && wrong.length) {
      names.textContent = ` Please fix: ${[...new Set(wrong.map(called))].join(", ")}.`;
    }
    if (takesFocus) wrong[0]?.focus();
  };
  for (const form of document.querySelectorAll("form[method=post]")) show(form, true);
  // A form that came in place of the one that was sent; whoever went on elsewhere stays there.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const form = detail.target.id && document.getElementById(detail.target.id);
    if (!form?.matches("form[method=post]")) return;
    const at = document.activeElement;
    show(form, !at || at === document.body || form.contains(at));
  });
})();
