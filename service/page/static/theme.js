// Not a module: it runs before the page is drawn, so that a dark page never flashes up white.
(() => {
  const chosen = localStorage.getItem("selfhelp-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
