// Times in the reader's own zone, with UTC beside them; the server, and paper, say UTC.
globalThis.placetTimes = (() => {
  // of all languages, Swedish writes 2026-11-29 17:02:40
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const zones = new Intl.DateTimeFormat("en", { timeZoneName: "short" });

  const local = (at) => format.format(new Date(at));
  const zone = (at) =>
    zones.formatToParts(new Date(at)).find((part) => part.type === "timeZoneName").value;

  const translate = (root) => {
    for (const time of root.querySelectorAll("time[title]:not([data-utc])")) {
      const at = time.dateTime,
        text = `${local(at)} ${zone(at)}`,
        utc = time.title;
      time.dataset.utc = utc;
      if (text === utc) continue;
      if (time.textContent === utc) time.textContent = text;
      else time.title = `${text}\n${utc}`;
      if ("clock" in time.dataset) time.textContent = local(at).slice(11);
    }
    for (const name of root.querySelectorAll("[data-zone]")) name.textContent = zone(Date.now());
  };

  translate(document);
  document.addEventListener("htmx:load", (event) => translate(event.target.parentNode || document));
  return { local, zone };
})();
