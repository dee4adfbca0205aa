// What the last action said: it goes when it is dismissed; good news also by itself, when it was there
// long enough and nobody points at it. A page that renews itself whole keeps it for its reader.
(() => {
  const KEY = "placet.notices";
  const LONG = 15_000; // milliseconds
  const AGAIN = 3_000;
  const reader = document.currentScript.dataset.person;
  const box = document.querySelector(".notices");

  const leaves = (notice) => {
    const held = document.hidden || notice.matches(":hover, :focus-within");
    if (held) setTimeout(leaves, AGAIN, notice);
    else notice.remove();
  };

  const show = ({ css, role, text }) => {
    const notice = box.querySelector("template").content.firstElementChild.cloneNode(true);
    notice.className = css;
    notice.setAttribute("role", role);
    notice.firstElementChild.textContent = text;
    box.append(notice);
  };

  const { person, said = [] } = JSON.parse(sessionStorage.getItem(KEY) || "{}");
  if (person === reader) said.forEach(show);
  sessionStorage.removeItem(KEY);
  box.querySelectorAll("[role=status]").forEach((notice) => {
    setTimeout(leaves, LONG, notice);
  });
  box.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) event.target.closest(".notice").remove();
  });
  document.addEventListener("placet:renewed", () => {
    const said = [...box.querySelectorAll(".notice")].map((notice) => ({
      css: notice.className,
      role: notice.getAttribute("role"),
      text: notice.firstElementChild.innerText,
    }));
    sessionStorage.setItem(KEY, JSON.stringify({ person: reader, said }));
  });
})();
