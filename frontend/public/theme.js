// Runs before the first paint, from a file, so that no inline script is needed and no wrong theme flashes.
(function () {
  var choice = "system";
  try {
    choice = localStorage.getItem("sluice.theme") || "system";
  } catch (_) {
    /* storage is off: the system's theme stands */
  }
  var dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
