// Runs before the first paint, so that a stored choice of light or dark never flashes the other one.
(() => {
  const chosen = localStorage.getItem("backstep.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
