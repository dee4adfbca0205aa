// The command palette: Ctrl-K or "/" opens it, typing searches, arrows choose, Enter goes there.
(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const status = dialog.querySelector("[role=status]");
  const pages = JSON.parse(document.getElementById("palette-pages").textContent).map(
    ([title, url]) => ({ kind: "page", title, detail: "", url }),
  );
  const LABELS = {
    page: "Pages",
    model: "Models",
    version: "Versions",
    release: "Releases",
    endpoint: "Endpoints",
    project: "Projects",
    target: "Nodes",
    environment: "Environments",
    person: "People",
    guide: "Docs",
  };
  let found = [],
    chosen = -1,
    waiting = 0,
    asking = null;
  let hurried = false; // Enter came before the answer

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const choose = (index) => {
    const options = list.querySelectorAll("[role=option]");
    chosen = options.length ? (index + options.length) % options.length : -1;
    options.forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === chosen));
    });
    if (chosen < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  };

  const option = (hit, index) =>
    element(
      "a",
      {
        role: "option",
        id: `palette-${index}`,
        href: hit.url,
        tabindex: "-1",
        "aria-selected": "false",
      },
      element("b", {}, hit.title),
      element("span", {}, hit.detail),
    );

  const draw = (hits, said) => {
    found = hits;
    const groups = [];
    hits.forEach((hit, index) => {
      const last = groups[groups.length - 1];
      if (last && last.kind === hit.kind) last.rows.push(option(hit, index));
      else groups.push({ kind: hit.kind, rows: [option(hit, index)] });
    });
    list.replaceChildren(
      ...groups.map(({ kind, rows }) => {
        const id = `palette-group-${kind}`;
        return element(
          "div",
          { role: "group", "aria-labelledby": id },
          element("div", { id, class: "palette-kind", role: "presentation" }, LABELS[kind] || kind),
          ...rows,
        );
      }),
    );
    list.hidden = hits.length === 0;
    input.setAttribute("aria-expanded", String(hits.length > 0));
    status.textContent = said;
    status.classList.toggle("visually-hidden", hits.length > 0);
    choose(0);
  };

  // Whether each word stands in a title.
  const fits = ({ title }, text) =>
    text.split(/\s+/).every((word) => title.toLowerCase().includes(word));
  const matching = (text) => pages.filter((page) => fits(page, text));
  const count = (hits) => `${hits.length} found`;

  const ask = async (text) => {
    asking?.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(`/api/v1/search?q=${encodeURIComponent(text)}`, {
        signal: asking.signal,
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const { items } = await answer.json();
      const hits = [...matching(text.toLowerCase()), ...items];
      draw(hits, hits.length ? count(hits) : "No matches.");
      if (hurried) go();
    } catch (error) {
      if (error.name === "AbortError") return;
      draw(matching(text.toLowerCase()), "Search failed: try again.");
    }
  };

  // What still matches stays at once; the rest comes with the answer.
  const typed = () => {
    clearTimeout(waiting);
    asking?.abort();
    hurried = false;
    const text = input.value.trim(),
      small = text.toLowerCase();
    const kept =
      small.length < 2 ? [] : found.filter((hit) => hit.kind !== "page" && fits(hit, small));
    draw([...matching(small), ...kept], small.length < 2 ? "" : "Searching…");
    if (small.length >= 2) waiting = setTimeout(() => ask(text), 120);
  };

  const go = () => {
    if (chosen < 0) {
      hurried = true;
      return;
    }
    location.href = found[chosen].url;
    dialog.close();
  };

  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    input.value = "";
    hurried = false;
    draw(pages, "");
    dialog.showModal(); // the browser gives the focus back when it closes
    input.focus();
  };

  input.addEventListener("input", typed);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      choose(chosen + 1);
    }
    if (event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen - 1);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      go();
    }
  });
  dialog.addEventListener("close", () => {
    clearTimeout(waiting);
    asking?.abort();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[role=option]")) dialog.close();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) open();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog.open) dialog.close();
      else open();
    } else if (
      event.key === "/" &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.altKey &&
      !event.target.closest("input, textarea, select, [contenteditable]")
    ) {
      event.preventDefault();
      open();
    }
  });
})();
