// Files of a draft are sent in chunks over the API: announced by their SHA-256, and gone on with
// where the server's bytes end after a lost connection or a reload.
(() => {
  const form = document.querySelector("[data-uploads]");
  if (!form) return;
  const PIECE = 4 << 20; // read at a time for the digest
  const CHUNK = 8 << 20; // sent at a time
  const STALL = 120_000; // milliseconds without a sign of life
  const LEFT_BEHIND = [".git", ".DS_Store", ".ipynb_checkpoints", "__pycache__"];
  const sending = form.querySelector("[data-sending]");
  const sent = form.querySelector("[data-sent]");
  const chooser = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const queue = [];
  let running = false;
  let active = null;

  const pause = (ms) => new Promise((go) => setTimeout(go, ms));
  const bytes = (n) => {
    const units = ["B", "kB", "MB", "GB"];
    let at = 0;
    let value = n;
    for (; value >= 1000 && at < 3; at += 1) value /= 1000;
    return `${at && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
  };
  // Why something was refused, in the server's words.
  const sentence = (problem) =>
    problem.errors?.length
      ? problem.errors.map((error) => error.detail).join("; ")
      : problem.detail || problem.title || "";

  class Refused extends Error {}
  class Cancelled extends Error {}
  class Lost extends Error {} // the connection, or an answer: it is tried again

  // Ask the API; what is refused for good is raised as its sentence.
  const ask = async (method, url, body, headers = {}) => {
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    let answer;
    try {
      answer = await fetch(url, {
        method,
        body,
        headers: { Accept: "application/json", "X-CSRFToken": token, ...headers },
      });
    } catch {
      throw new Lost();
    }
    return judged(answer.status, answer.headers, await answer.text().catch(() => ""));
  };
  const judged = (status, headers, text) => {
    let body = {};
    try {
      body = text ? JSON.parse(text) : {};
    } catch {
      /* not of the API: its status says enough */
    }
    if (status === 507) throw new Refused(sentence(body));
    if (status >= 500 || status === 429) throw new Lost(sentence(body));
    if (status === 401 || body.code === "csrf_failed") {
      throw new Refused("You are signed out: reload this page and choose the file again");
    }
    return { status, headers, body, ok: status < 400 };
  };
  const json = (method, url, body) =>
    ask(method, url, JSON.stringify(body), { "Content-Type": "application/json" });

  // One file on the page: its name, how much of it is there, and a way to give it up.
  class Item {
    constructor(path, file) {
      this.path = path;
      this.file = file;
      this.row = document.createElement("li");
      this.row.className = "sending";
      this.bar = document.createElement("progress");
      this.bar.max = file.size || 1;
      this.bar.value = 0;
      this.bar.setAttribute("aria-label", path);
      this.text = document.createElement("span");
      this.text.className = "text-secondary small";
      this.button = document.createElement("button");
      this.button.type = "button";
      this.button.className = "btn btn-sm";
      this.button.textContent = "Cancel";
      this.button.setAttribute("aria-label", `Cancel ${path}`);
      this.button.addEventListener("click", () => this.cancel());
      const name = document.createElement("span");
      name.className = "text-break";
      name.textContent = path;
      this.row.append(name, this.text, this.bar, this.button);
      this.says(`${bytes(file.size)}, waits for its turn`);
      sending.append(this.row);
    }

    says(text, at = this.bar.value) {
      this.text.textContent = text;
      this.bar.value = at;
    }

    cancel() {
      this.cancelled = true;
      this.xhr?.abort();
      this.wake?.();
      if (!queue.includes(this)) return; // it is being sent, and ends by itself
      queue.splice(queue.indexOf(this), 1);
      this.row.remove();
    }

    check() {
      if (this.cancelled) throw new Cancelled();
    }

    refuse(why) {
      this.bar.remove();
      this.text.className = "state fail text-wrap small";
      this.text.textContent = `✕ ${why}`;
      this.button.textContent = "Dismiss";
      this.button.setAttribute("aria-label", `Dismiss ${this.path}`);
      this.button.onclick = () => this.row.remove();
      sent.textContent = `${this.path} was refused: ${why}`;
    }

    async digest() {
      const hash = window.sha256.create(); // what browsers have of their own wants all of it at once
      for (let at = 0; at < this.file.size; at += PIECE) {
        this.check();
        try {
          hash.update(new Uint8Array(await this.file.slice(at, at + PIECE).arrayBuffer()));
        } catch {
          throw new Refused("The file changed or cannot be read any more: choose it again");
        }
        this.says(
          `reads ${bytes(Math.min(at + PIECE, this.file.size))} of ${bytes(this.file.size)}`,
        );
      }
      return hash.hex();
    }

    // Send a chunk; its progress counts as it leaves.
    chunk(offset) {
      return new Promise((resolve, reject) => {
        const xhr = new XMLHttpRequest();
        this.xhr = xhr;
        xhr.open("PATCH", `/api/v1/uploads/${this.upload}`);
        xhr.setRequestHeader("Accept", "application/json");
        xhr.setRequestHeader("Content-Type", "application/offset+octet-stream");
        xhr.setRequestHeader("Upload-Offset", offset);
        const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
        xhr.setRequestHeader("X-CSRFToken", token);
        // A connection that says nothing any more is one that was lost.
        const stalled = () => {
          reject(new Lost());
          xhr.abort();
        };
        let stall = setTimeout(stalled, STALL);
        xhr.upload.onprogress = (event) => {
          clearTimeout(stall);
          stall = setTimeout(stalled, STALL);
          this.shows(offset + event.loaded);
        };
        xhr.onloadend = () => clearTimeout(stall);
        xhr.onabort = () => reject(new Cancelled());
        xhr.onerror = () => reject(new Lost());
        xhr.onload = () => {
          try {
            const headers = { get: (name) => xhr.getResponseHeader(name) };
            resolve(judged(xhr.status, headers, xhr.responseText));
          } catch (error) {
            reject(error);
          }
        };
        xhr.send(this.file.slice(offset, offset + CHUNK));
      });
    }

    shows(at) {
      const there = Math.min(at, this.file.size);
      this.says(`${bytes(there)} of ${bytes(this.file.size)}`, there);
    }

    // Announce it, and send what the server does not have; true once it is a file of the draft.
    async once(sha256) {
      const path = this.path;
      const announced = await json("POST", form.dataset.uploads, {
        path,
        size: this.file.size,
        sha256,
      });
      if (!announced.ok) throw new Refused(sentence(announced.body));
      if (announced.body.file) return true;
      this.upload = announced.body.upload.id;
      let offset = announced.body.upload.received;
      while (offset < this.file.size) {
        this.check();
        this.shows(offset);
        const answer = await this.chunk(offset);
        if (answer.status === 200) return true;
        if (answer.status === 404 || answer.status === 409) throw new Lost(); // look where it stands
        if (!answer.ok) throw new Refused(sentence(answer.body));
        offset = Number(answer.headers.get("Upload-Offset"));
      }
      const finished = await ask("POST", `/api/v1/uploads/${this.upload}/finish`);
      if (finished.status === 404 || finished.status === 409) throw new Lost();
      if (!finished.ok) throw new Refused(sentence(finished.body));
      return true;
    }

    async run() {
      const sha256 = await this.digest();
      for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
        this.check();
        try {
          return await this.once(sha256);
        } catch (error) {
          if (!(error instanceof Lost)) throw error;
          const why = error.message || "The connection was lost";
          this.text.textContent = `${why}. It goes on by itself.`;
          const sooner = new Promise((go) => {
            this.wake = go; // when it is cancelled
            addEventListener("online", go, { once: true });
          });
          await Promise.race([pause(wait), sooner]);
        }
      }
    }

    // Have the server forget what came of it; the bytes of an aborted chunk may still come in.
    async forget() {
      if (!this.upload) return;
      for (let tries = 0; tries < 10; tries += 1) {
        try {
          const url = `/api/v1/uploads/${this.upload}`;
          const found = await ask("GET", url);
          const etag = found.headers.get("ETag") || "";
          const gone = found.ok ? await ask("DELETE", url, null, { "If-Match": etag }) : found;
          if (gone.ok || gone.status === 404) return;
        } catch {
          /* it is asked again */
        }
        await pause(500);
      }
    }
  }

  const work = async () => {
    if (running) return;
    running = true;
    let looked = Date.now();
    while (queue.length) {
      const item = queue.shift();
      active = item;
      try {
        await item.run();
        item.row.remove();
        sent.textContent = `${item.path} is uploaded${queue.length ? `; ${queue.length} to go` : ""}.`;
      } catch (error) {
        if (error instanceof Cancelled) {
          await item.forget();
          item.row.remove();
          sent.textContent = `${item.path} was cancelled.`;
        } else item.refuse(error.message || "The server refused it");
      }
      active = null;
      if (!queue.length || Date.now() - looked > 3000) {
        await renew();
        looked = Date.now();
      }
    }
    running = false;
  };

  // Show what the server has now; what somebody is typing into stays.
  const typed = new Set();
  document.addEventListener("input", (event) => typed.add(event.target.closest("form")?.id));
  document.addEventListener("htmx:afterSwap", (event) => typed.delete(event.target.id));
  const same = (element) =>
    `[aria-label="${CSS.escape(element.getAttribute("aria-label") || "")}"]`;
  // What was said of a file is not so any more once somebody takes files away.
  document.addEventListener("submit", (event) => {
    if (event.target.closest("#stored")) sent.textContent = "";
  });

  const renew = async () => {
    try {
      const answer = await fetch(document.getElementById("draft").dataset.draft);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["stored", "checklist", "recognised", "known", "signature", "limits"]) {
        const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
        if (!old || !now || typed.has(id)) continue;
        const at = old.contains(document.activeElement) && document.activeElement;
        if (at && id === "signature") continue;
        old.replaceWith(document.adoptNode(now));
        if (at) (now.querySelector(same(at)) || chooser).focus();
        window.htmx?.process(now);
      }
      hide();
      document.dispatchEvent(new Event("placet:renewed"));
    } catch {
      /* the next file shows it */
    }
  };
  // What is on its way here is not shown as something that somebody left.
  const hide = () => {
    const paths = new Set([active, ...queue].map((item) => item?.path));
    document.querySelectorAll("[data-upload]").forEach((row) => {
      row.hidden = paths.has(row.dataset.upload);
    });
  };

  const add = (found) => {
    const junk = (path) =>
      path.split("/").some((part) => LEFT_BEHIND.includes(part) || part.startsWith("._"));
    const left = found.filter(([path]) => junk(path)).map(([path]) => path);
    if (left.length) sent.textContent = `Left out: ${left.slice(0, 5).join(", ")}`;
    let room = Number(document.getElementById("stored").dataset.room);
    for (const item of queue) room -= item.file.size;
    for (const [path, file] of found) {
      if (junk(path)) continue;
      const item = new Item(path.normalize("NFC"), file);
      const known = document.querySelector(`[data-upload="${CSS.escape(item.path)}"]`);
      if (known) room += file.size; // it was counted when it was announced
      if (file.size > room) {
        item.refuse(`It has ${bytes(file.size)}, and ${bytes(room)} are left for this version`);
        continue;
      }
      room -= file.size;
      queue.push(item);
    }
    hide();
    work();
  };
  // Of one folder its content is meant, and not the folder around it.
  const inside = (path) => path.slice(path.indexOf("/") + 1);

  const files = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((go, no) => entry.file(go, no));
      return [[entry.fullPath.slice(1), file]];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((go, no) => reader.readEntries(go, no));
      if (!some.length) return found;
      for (const each of some) found.push(...(await files(each)));
    }
  };

  const folder = form.querySelector("[data-inside]");
  for (const input of [chooser, folder]) {
    input.addEventListener("change", () => {
      const path = (file) =>
        file.webkitRelativePath ? inside(file.webkitRelativePath) : file.name;
      add([...input.files].map((file) => [path(file), file]));
      input.value = "";
    });
  }
  form.querySelector("[data-folder]").addEventListener("click", () => folder.click());
  form.addEventListener("submit", (event) => event.preventDefault());
  // What is frozen now would be without what is still on its way.
  document.addEventListener(
    "submit",
    (event) => {
      if (!running || event.target.id !== "checklist") return;
      event.preventDefault();
      event.stopPropagation();
      sent.textContent = "Finalise it once all files are here, or cancel those that are not.";
      sent.scrollIntoView({ block: "center" });
    },
    true,
  );
  for (const name of ["dragover", "drop"]) {
    // a file that misses the place must not open in this tab
    document.addEventListener(name, (event) => event.preventDefault());
  }
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
    const found = (await Promise.all(entries.map(files))).flat();
    const one = entries.length === 1 && entries[0].isDirectory;
    add(one ? found.map(([path, file]) => [inside(path), file]) : found);
  });
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
  form.querySelectorAll("[data-scripted], [data-plain]").forEach((element) => {
    element.hidden = "plain" in element.dataset;
  });
})();
