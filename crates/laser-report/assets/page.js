"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const show = (element) => { if (element) element.hidden = false; };
  const svg = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // One measure of the heat map at a time.
  let measure = "accuracy";
  let chosen = null;
  const drawings = all(".measure");
  const switchTo = (key) => {
    measure = key;
    for (const drawing of drawings) drawing.hidden = drawing.dataset.measure !== key;
    for (const button of all(".switch button")) button.setAttribute("aria-pressed", button.dataset.measure === key);
    if (chosen) open(chosen);
  };

  // A cell opens the curve of its matrix.
  const rows = new Map((data.sweep ? data.sweep.rows : []).map((row) => [`${row.layer}.${row.matrix}`, row]));
  const shown = (value) =>
    value === null ? "–" : measure === "accuracy" && data.binary ? `${(100 * value).toFixed(1)}\u00a0%` : value.toFixed(3);
  const open = (name) => {
    const row = rows.get(name);
    const panel = document.getElementById("cell");
    if (!row || !panel) return;
    chosen = name;
    for (const cell of all(".cell, .curve")) cell.classList.toggle("chosen", cell.dataset.cell === name);
    const values = row[measure];
    // What is not changed costs nothing.
    const base = data.base[measure] ?? 0;
    const known = values.map((value, i) => [i, value]).filter(([, value]) => value !== null);
    const numbers = known.map(([, value]) => value).concat(base);
    const low = Math.min(...numbers), high = Math.max(...numbers), air = 0.06 * (high - low) || 0.01;
    const [left, right, top, bottom] = [48, 352, 12, 160];
    const x = (i) => left + 8 + (i * (right - left - 16)) / Math.max(values.length - 1, 1);
    const y = (value) => bottom - ((value - low + air) / (high - low + 2 * air)) * (bottom - top);
    const drawing = svg("svg", { viewBox: "0 0 360 200", width: 360, height: 200, role: "img" });
    drawing.append(svg("title", {}, `${name}: ${{ accuracy: "accuracy", log_loss: "log-loss", kl: "cost" }[measure]} by edit`));
    for (const value of [low, high]) {
      drawing.append(svg("text", { class: "tick", x: left - 4, y: y(value) + 4, "text-anchor": "end" }, shown(value)));
      drawing.append(svg("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
    }
    drawing.append(svg("line", { class: "dashed", x1: left, x2: right, y1: y(base), y2: y(base) }));
    // Only fractions of the whole matrix lie on one line.
    const line = known.filter(([i]) => data.sweep.rho[i] !== null);
    const points = line.map(([i, value]) => `${x(i)},${y(value)}`).join(" ");
    drawing.append(svg("polyline", { class: "best", points }));
    for (const [i, value] of known) {
      const dot = svg("circle", { class: "best", cx: x(i), cy: y(value), r: 4 });
      dot.append(svg("title", {}, `${data.sweep.edits[i]}: ${shown(value)}`));
      drawing.append(dot);
    }
    const every = Math.ceil(values.length / 8);
    values.forEach((_, i) => {
      if (i % every === 0)
        drawing.append(svg("text", { class: "tick", x: x(i), y: bottom + 16, "text-anchor": "middle" }, data.sweep.edits[i]));
    });
    drawing.append(svg("text", { class: "tick", x: 200, y: bottom + 32, "text-anchor": "middle" }, "kept fraction of the rank, or other edit"));
    const heading = document.createElement("h3");
    heading.textContent = `${name} (base ${shown(base)}, dashed)`;
    const list = document.createElement("p");
    list.className = "note";
    list.textContent = values.map((value, i) => `${data.sweep.edits[i]}: ${shown(value)}`).join(", ");
    panel.replaceChildren(heading, drawing, list);
    show(panel);
  };
  if (rows.size > 0 && drawings.length > 0) {
    show(document.querySelector(".switch"));
    for (const button of all(".switch button")) button.addEventListener("click", () => switchTo(button.dataset.measure));
    for (const cell of all(".cell")) {
      cell.setAttribute("tabindex", "0");
      cell.setAttribute("role", "button");
      cell.addEventListener("click", () => open(cell.dataset.cell));
      cell.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open(cell.dataset.cell);
        }
      });
    }
    for (const curve of all(".curve")) curve.addEventListener("click", () => open(curve.dataset.cell));
    switchTo(measure);
    const only = data.best ? data.best.edits : [];
    if (only.length === 1) open(`${only[0].layer}.${only[0].matrix}`);
  }

  // The gained and lost answers: filter and sort.
  const table = document.getElementById("changed");
  if (table) {
    const body = table.tBodies[0];
    const lines = all("tr", body).map((row, number) => ({ row, number, text: row.textContent.toLowerCase() }));
    const filter = document.getElementById("filter"), kind = document.getElementById("kind");
    const count = document.getElementById("count");
    const apply = () => {
      const wanted = filter.value.toLowerCase();
      let left = 0;
      for (const { row, text } of lines) {
        row.hidden = !text.includes(wanted) || (kind.value !== "" && row.dataset.kind !== kind.value);
        if (!row.hidden) left += 1;
      }
      count.textContent = `${left} of ${lines.length}`;
    };
    const sort = (column, heading) => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of all("th", table)) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const of = ({ row }) => row.cells[column].textContent;
      const numeric = column === 5;
      const compare = (a, b) => (numeric ? Number(of(a)) - Number(of(b)) : of(a).localeCompare(of(b))) || a.number - b.number;
      body.append(...[...lines].sort((a, b) => (up ? compare(a, b) : compare(b, a))).map(({ row }) => row));
    };
    show(document.querySelector(".filter"));
    filter.addEventListener("input", apply);
    kind.addEventListener("change", apply);
    all("th", table).forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => sort(column, heading)));
    apply();
  }

  // On paper everything is unfolded.
  addEventListener("beforeprint", () => { for (const details of all("details")) details.open = true; });
})();
