// Sets the theme before the first paint: the cookie's choice, else the system's.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => (document.cookie.match(/(?:^|; )theme=(light|dark)/) || [])[1];
  const apply = () =>
    root.setAttribute("data-bs-theme", chosen() || (dark.matches ? "dark" : "light"));
  apply();
  dark.addEventListener("change", apply);
  // Paper is white: light letters on it would not be read.
  addEventListener("beforeprint", () => root.setAttribute("data-bs-theme", "light"));
  addEventListener("afterprint", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    const choice = button.dataset.themeChoice;
    const age = choice === "system" ? 0 : 31536000;
    document.cookie = `theme=${choice}; path=/; max-age=${age}; samesite=lax`;
    apply();
  });
})();
