"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  at("about").textContent = page.about;
  at("made").textContent = page.made;
  for (const [name, value] of page.facts) {
    const box = document.createElement("div"), term = document.createElement("dt"), fact = document.createElement("dd");
    term.textContent = name;
    fact.textContent = value;
    box.append(term, fact);
    at("facts").append(box);
  }
  for (const [alt, source] of page.figures) {
    const image = document.createElement("img");
    image.alt = alt;
    image.src = source;
    at("figures").append(image);
  }
  if (page.pictures.length) {
    const show = () => {
      const [title, source] = page.pictures[at("epoch").value];
      at("title").textContent = title;
      at("picture").src = source;
    };
    at("epoch").max = page.pictures.length - 1;
    at("epoch").value = page.pictures.length - 1;
    at("epoch").addEventListener("input", show);
    at("course").hidden = false;
    show();
  }
})();
