"use strict";
// Search: of every list, table and path only the entries with the text stay; points of the map without it fade.
(function () {
  var field = document.getElementById("find"), told = document.getElementById("found");
  var entries = document.querySelectorAll("main li.entry, main tr.entry");
  var points = document.querySelectorAll(".map circle[data-text]");
  if (field) {
    field.closest(".find").hidden = false;
    field.addEventListener("input", function () {
      var wanted = field.value.trim().toLowerCase(), count = 0;
      entries.forEach(function (entry) {
        var fits = !wanted || entry.textContent.toLowerCase().includes(wanted);
        entry.hidden = !fits;
        count += fits;
      });
      points.forEach(function (point) {
        var fits = !wanted || point.dataset.text.toLowerCase().includes(wanted);
        point.classList.toggle("faded", !fits);
        count += fits;
      });
      told.textContent = wanted ? count + " of " + (entries.length + points.length) : "";
    });
  }
  // The map: a click shows the sentence of a point below it.
  document.querySelectorAll(".map").forEach(function (map) {
    var shown = map.querySelector("output");
    if (!shown) return;
    map.addEventListener("click", function (event) {
      var point = event.target.closest("circle[data-text]");
      if (!point) return;
      map.querySelectorAll(".chosen").forEach(function (old) { old.classList.remove("chosen"); });
      point.classList.add("chosen");
      shown.textContent = point.dataset.text + (point.dataset.label ? " (" + point.dataset.label + ")" : "");
    });
  });
})();
