// Times in the reader's own zone, with UTC beside them; the server, and paper, say UTC.
(() => {
  // of all languages, Swedish writes 2026-11-29 17:02:40
  const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" });

  const here = (at) => {
    const name = zone.formatToParts(at).find((part) => part.type === "timeZoneName").value;
    return `${local.format(at)} ${name}`;
  };

  const translate = (root) => {
    for (const time of root.querySelectorAll("time[title]:not([data-utc])")) {
      const text = here(new Date(time.dateTime));
      const utc = time.title;
      time.dataset.utc = utc;
      if (text === utc) continue;
      if (time.textContent === utc) time.textContent = text;
      else time.title = `${text}\n${utc}`;
    }
  };

  translate(document);
  document.addEventListener("htmx:load", (event) => translate(event.target.parentNode || document));
})();
