// The order in which the page comes to life.
startTheme();
startTables();
startFigures();
startGallery();
document.getElementById("setting")?.addEventListener("change", (event) => showSetting(event.target.value));
for (const draw of whenShown) draw();
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
