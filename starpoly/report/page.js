"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const make = (tag, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const round = (value, digits) => (value === null ? "" : value.toFixed(digits));
  const percent = (value) => (value === null ? "" : Math.round(100 * value) + " %");

  document.getElementById("about").textContent = page.about;
  document.getElementById("made").textContent = page.made;
  for (const [name, value, bad] of page.totals) {
    const box = make("div", name, bad ? "bad" : "");
    box.prepend(make("b", value.toLocaleString("en")));
    document.getElementById("totals").append(box);
  }
  for (const [alt, source] of page.figures) {
    const image = make("img");
    image.alt = alt;
    image.src = source;
    document.getElementById("figures").append(image);
  }
  for (const [flag, meaning] of page.meanings) {
    document.querySelector("#meanings dl").append(make("dt", flag), make("dd", meaning));
  }

  // pictures are decoded when they come near the window, and let go when they are far from it
  const watcher = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      const place = target.firstChild;
      if (isIntersecting && !place.firstChild) {
        const image = make("img");
        image.alt = "";
        image.src = page.rows[target.dataset.row].thumbnail;
        place.append(image);
      } else if (!isIntersecting) {
        place.replaceChildren();
      }
    }
  }, { rootMargin: "600px" });

  const columns = [
    ["image", (row) => row.name],
    ["objects", (row) => row.objects, (row) => round(row.objects, 0)],
    ["diameter (" + page.unit + ")", (row) => row.diameter, (row) => round(row.diameter, 1)],
    ["score", (row) => row.score, (row) => round(row.score, 2)],
    ["at the border", (row) => row.border, (row) => percent(row.border)],
    ["low scores", (row) => row.low, (row) => percent(row.low)],
    ["megapixels", (row) => row.shape[0] * row.shape[1], (row) => (row.shape[0] ? round(row.shape[0] * row.shape[1] / 1e6, 2) : "")],
    ["flags", (row) => row.rank],
  ];
  if (page.several_models) columns.splice(-1, 0, ["model", (row) => row.model, (row) => row.model]);

  const nameCell = (row) => {
    const cell = make("td", undefined, "left");
    const name = make("div", undefined, "name");
    name.append(make("bdi", row.name));
    cell.append(name);
    for (const text of row.said) cell.append(make("div", text, row.failed ? "said failed" : "said"));
    if (row.links.length) {
      const links = make("div", undefined, "links");
      for (const [text, target] of row.links) {
        const link = make("a", text);
        link.href = target;
        links.append(link);
      }
      cell.append(links);
    }
    return cell;
  };

  const body = document.querySelector("tbody");
  page.rows.forEach((row, index) => {
    const line = make("tr");
    const picture = make("td", undefined, "picture");
    picture.append(make("div"));
    picture.dataset.row = index;
    if (row.thumbnail) watcher.observe(picture);
    line.append(picture, nameCell(row));
    for (const [, , show] of columns.slice(1, -1)) line.append(make("td", show(row)));
    const flags = make("td", undefined, "left");
    for (const flag of row.flags) flags.append(make("span", flag, "flag"));
    line.append(flags);
    row.line = line;
    body.append(line);
  });

  const compare = (value) => (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);  // what is not known comes last
    return typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
  };
  const head = document.querySelector("thead tr");
  head.append(make("th"));
  columns.forEach(([title, value], index) => {
    const cell = make("th", undefined, index === 0 || index === columns.length - 1 ? "left" : "");
    const button = make("button", title);
    button.type = "button";
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      for (const other of head.children) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = [...page.rows].sort(compare(value));
      if (down) {
        const known = order.filter((row) => value(row) !== null).reverse();
        order.splice(0, known.length, ...known);
      }
      body.replaceChildren(...order.map((row) => row.line));
    });
    cell.append(button);
    head.append(cell);
  });

  const filter = document.getElementById("filter"), flagged = document.getElementById("flagged");
  const select = () => {
    const wanted = filter.value.toLowerCase();
    let n = 0;
    for (const row of page.rows) {
      const shown = row.name.toLowerCase().includes(wanted) && (!flagged.checked || row.flags.length > 0);
      row.line.hidden = !shown;
      n += shown;
    }
    document.getElementById("shown").textContent = n + " of " + page.rows.length + " images";
  };
  filter.addEventListener("input", select);
  flagged.addEventListener("change", select);
  select();
})();
