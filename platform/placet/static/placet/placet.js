// Small behaviours of the pages: copying digests, dialogs, confirmation, double clicks, relative times.
(() => {
  const once = new WeakSet();

  const open = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const first =
      dialog.querySelector("[aria-invalid=true]") ||
      dialog.querySelector("textarea, input:not([type=hidden]), select, button");
    if (first) first.focus();
  };
  // A form that was refused opens again with what was typed.
  document.querySelectorAll("dialog[data-open]").forEach(open);

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy], [data-copy-from]");
    if (copy) {
      event.preventDefault();
      const from = copy.dataset.copyFrom && document.getElementById(copy.dataset.copyFrom);
      await navigator.clipboard.writeText(from ? from.textContent : copy.dataset.copy);
      copy.classList.add("copied");
      setTimeout(() => copy.classList.remove("copied"), 1200);
      return;
    }
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      const dialog = document.getElementById(opener.dataset.dialog);
      for (const name of ["step", "digest"]) {
        const shown = opener.dataset[name] && dialog && dialog.querySelector(`[name=${name}]`);
        if (shown) shown.value = opener.dataset[name]; // what was shown when it was clicked
      }
      const says = opener.dataset.says && dialog && dialog.querySelector("[data-said]");
      if (says) says.textContent = opener.dataset.says;
      open(dialog);
      return;
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // A form is sent once, however often it is clicked.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog" || event.defaultPrevented) return;
    if (once.has(form)) {
      event.preventDefault();
      return;
    }
    once.add(form);
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[aria-busy]").forEach((form) => {
      form.removeAttribute("aria-busy");
      once.delete(form);
    });
  });

  // Of a row of tabs that is wider than the window, the page's own is seen.
  document.querySelector(".tabs .active")?.scrollIntoView({ inline: "center", block: "nearest" });

  // A short name is suggested from the name while it is typed, never over one that somebody typed.
  document.addEventListener("input", ({ target }) => {
    delete target.dataset.suggested;
    const short = target.id && document.querySelector(`[data-slug-of="${target.id}"]`);
    if (!short || short.value !== (short.dataset.suggested ?? "")) return;
    const plain = target.value.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    const words = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "");
    short.value = words.slice(0, short.maxLength).replace(/-$/, "");
    short.dataset.suggested = short.value;
  });

  // Rows of a list that are chosen for one form: all at once, and how many are.
  document.addEventListener("change", ({ target }) => {
    const form = target.dataset.pickAll || (target.name === "chosen" && target.form?.id);
    if (!form) return;
    const boxes = [...document.querySelectorAll(`[name=chosen][form="${form}"]`)];
    const all = document.querySelector(`[data-pick-all="${form}"]`);
    if (target === all) {
      for (const box of boxes) box.checked = all.checked;
    }
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && !all.checked;
    document.querySelectorAll(`[data-picked="${form}"]`).forEach((text) => {
      text.textContent = count ? `${count} selected` : "";
    });
  });

  // Keys: "g" then a letter goes to a page; "?" says which.
  let lead = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    if (event.key === "?") {
      open(document.getElementById("keys"));
      return;
    }
    if (event.key === "g") {
      lead = Date.now();
      return;
    }
    const entries = [...document.querySelectorAll("#menu [data-key]")];
    const entry = entries.find((link) => link.dataset.key === event.key);
    if (Date.now() - lead < 1000 && entry) entry.click();
    lead = 0;
  });

  // What the rest of a page was made for comes along with the part that renews itself. While a
  // dialog is open nothing changes: what is typed there would be lost.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const now = event.detail.xhr.getResponseHeader("X-Page-State");
    const shown = document.querySelector("[data-page-state]");
    if (!now || !shown || shown.dataset.pageState === now) return;
    event.detail.shouldSwap = false;
    if (document.querySelector("dialog[open]")) return;
    document.dispatchEvent(new Event("placet:renewed"));
    location.reload();
  });

  // A log is opened at the line that failed, or else at its end.
  document.querySelectorAll("[data-follow]").forEach((box) => {
    const fault = box.querySelector("[data-fault]");
    const middle = fault && fault.offsetTop - (box.clientHeight - fault.clientHeight) / 2;
    box.scrollTop = fault ? middle : box.scrollHeight;
  });

  // A log that follows its end unless somebody scrolled up.
  document.addEventListener("htmx:afterSwap", (event) => {
    const box = event.target.closest("[data-follow]");
    if (box && box.dataset.away !== "1") box.scrollTop = box.scrollHeight;
  });
  document.addEventListener(
    "scroll",
    (event) => {
      const box = event.target;
      if (!box.dataset || !("follow" in box.dataset)) return;
      box.dataset.away = box.scrollHeight - box.scrollTop - box.clientHeight > 40 ? "1" : "0";
    },
    true,
  );

  // Which revision answered a trial, in the words of the page; one that began since by its model.
  const answeredBy = (form, answer) => {
    const known = [...form.querySelectorAll("[data-revision]")].find(
      (one) => one.dataset.revision === answer.revision,
    );
    const words = known ? known.textContent : answer.model;
    return words ? `Answered by ${words}.` : "The answer does not say which revision it is from.";
  };

  // Form rows of the "try it" page are sent as JSON.
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-predict]");
    if (!form) return;
    event.preventDefault();
    once.delete(form);
    const output = document.getElementById(form.dataset.predict);
    const by = form.querySelector("[data-answered-by]");
    const row = {};
    form.querySelectorAll("[data-field]").forEach((input) => {
      const text = input.value.trim();
      if (text === "") return; // a missing field is named by the endpoint itself
      const kind = input.dataset.type;
      row[input.dataset.field] =
        kind === "string" ? text : kind === "boolean" ? text === "true" : Number(text);
    });
    output.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
        },
        body: JSON.stringify(row),
      });
      const answer = await response.json();
      // A refusal of ours is shown as it came; what the endpoint answered is shown with its status.
      output.textContent = JSON.stringify(response.ok ? answer.body : answer, null, 1);
      output.dataset.status = response.ok ? answer.status : response.status;
      by.textContent = response.ok ? answeredBy(form, answer) : "";
    } catch {
      output.textContent = "Placet did not answer: it is not known whether this was received.";
      output.dataset.status = "";
      by.textContent = "";
    }
    output.removeAttribute("aria-busy");
    form.removeAttribute("aria-busy");
  });
})();
