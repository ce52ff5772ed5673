// Dark, light, or as the system has it. Runs before the page is drawn, so that no wrong colour is seen.
(() => {
  const KEY = "tokmeter-theme";
  const ORDER = ["auto", "dark", "light"];
  const read = () => {
    try {
      return ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto";
    } catch {
      return "auto";
    }
  };
  let theme = read();
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
  };
  window.nextTheme = () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing shows the theme until the page is left.
    }
    apply();
  };
  apply();
  addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", window.nextTheme);
  });
})();
