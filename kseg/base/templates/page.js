"use strict";
(() => {
  /* light and dark: what the system says, until the switch says otherwise */
  const root = document.documentElement, theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const kept = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("kseg-theme");
      localStorage.setItem("kseg-theme", value);
    } catch (_) { /* files opened from disk may have no storage */ }
    return null;
  };
  const dark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const named = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
  };
  if (kept()) root.dataset.theme = kept();
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    kept(root.dataset.theme);
    named();
  });
  system.addEventListener("change", named);
  named();

  /* a picture with its layers, seen large: keys, buttons, zoom */
  class Viewer {
    constructor(box) {
      this.box = box;
      this.panes = [...box.querySelectorAll(".pane")];
      this.buttons = [...box.querySelectorAll("[data-show]")];
      this.layers = this.buttons.map((button) => button.dataset.show);
      this.said = box.querySelector(".said");
      this.dialog = box.closest("dialog");
      this.opacity = box.querySelector("input[type=range]");
      this.at = 0;
      this.place = { scale: 1, x: 0, y: 0 };
      this.pointers = new Map();
      this.buttons.forEach((button) => button.addEventListener("click", () => this.show(button.dataset.show)));
      box.querySelectorAll("[data-do]").forEach((button) =>
        button.addEventListener("click", () => this.act(button.dataset.do)));
      if (this.opacity) this.opacity.addEventListener("input", () => this.draw());
      this.panes.forEach((pane) => this.listen(pane));
    }
    of(shots) {
      this.shots = shots;
      shots.forEach((shot, index) => shot.querySelector(".thumb").addEventListener("click", () => {
        this.go(index);
        if (!this.dialog) this.box.scrollIntoView({ block: "nearest" });
      }));
    }
    go(index) {
      const seen = this.shots.filter((shot) => shot.offsetParent !== null || shot === this.shots[index]);
      const count = seen.length;
      this.at = index;
      this.seen = seen;
      this.zoom(1);
      const shot = this.shots[index];
      document.querySelectorAll('.thumb[aria-current]').forEach((thumb) => {
        if (this.shots.includes(thumb.closest(".shot"))) thumb.removeAttribute("aria-current");
      });
      shot.querySelector(".thumb").setAttribute("aria-current", "true");
      this.number = `${seen.indexOf(shot) + 1} of ${count}`;
      const has = (layer) => layer === "photo" || shot.querySelector(`[data-layer="${layer}"]`);
      this.buttons.forEach((button) => { button.hidden = !has(button.dataset.show); });
      const wanted = this.box.dataset.layer;
      this.show(has(wanted) ? wanted : this.layers.filter(has).pop());
    }
    step(by) {
      const here = this.seen.indexOf(this.shots[this.at]) + by;
      const next = this.seen[(here + this.seen.length) % this.seen.length];
      this.go(this.shots.indexOf(next));
    }
    show(layer) {
      this.box.dataset.layer = layer;
      this.buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.show === layer));
      this.draw();
    }
    draw() {
      const shot = this.shots[this.at], layer = this.box.dataset.layer;
      const photo = shot.querySelector(".photo");
      this.panes.forEach((pane, number) => {
        const [below, above] = pane.querySelectorAll("img");
        const over = shot.querySelector(`[data-layer="${layer}"][data-pane="${number}"]`)
          || shot.querySelector(`[data-layer="${layer}"]`);
        below.src = photo.src;
        below.alt = `${shot.dataset.name}: ${layer}`;
        above.hidden = !over;
        if (over) above.src = over.src;
        above.style.opacity = layer === "error" || !this.opacity ? 0.85 : this.opacity.value / 100;
      });
      this.said.textContent = `${this.number} · ${shot.querySelector(".what").textContent.trim()}`;
    }
    act(what) {
      const does = {
        next: () => this.step(1), back: () => this.step(-1),
        larger: () => this.zoom(this.place.scale * 1.5), smaller: () => this.zoom(this.place.scale / 1.5),
        whole: () => this.zoom(1), close: () => this.dialog.close(),
      };
      does[what]();
    }
    zoom(scale, x, y) {
      const pane = this.panes[0], { width, height } = pane.getBoundingClientRect();
      const old = this.place, wanted = Math.min(24, Math.max(1, scale));
      x = x === undefined ? width / 2 : x;
      y = y === undefined ? height / 2 : y;
      const factor = wanted / old.scale;
      this.move({ scale: wanted, x: x - (x - old.x) * factor, y: y - (y - old.y) * factor });
    }
    move({ scale, x, y }) {
      const { width, height } = this.panes[0].getBoundingClientRect();
      x = Math.min(0, Math.max(width * (1 - scale), x));
      y = Math.min(0, Math.max(height * (1 - scale), y));
      this.place = { scale, x, y };
      this.panes.forEach((pane) => {
        pane.querySelector(".canvas").style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
        pane.classList.toggle("zoomed", scale > 1.01);
      });
    }
    listen(pane) {
      const at = (event) => {
        const { left, top } = pane.getBoundingClientRect();
        return [event.clientX - left, event.clientY - top];
      };
      pane.addEventListener("dblclick", (event) => this.zoom(this.place.scale > 1.01 ? 1 : 3, ...at(event)));
      pane.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoom(this.place.scale * Math.exp(-event.deltaY / 200), ...at(event));
      }, { passive: false });
      pane.addEventListener("pointerdown", (event) => {
        this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
        this.begun = { x: event.clientX, y: event.clientY, many: this.pointers.size > 1 };
        if (this.place.scale > 1.01) pane.setPointerCapture(event.pointerId);
      });
      pane.addEventListener("pointermove", (event) => {
        const old = this.pointers.get(event.pointerId);
        if (!old) return;
        const now = [event.clientX, event.clientY];
        if (this.pointers.size === 2) {
          const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
          const far = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
          const { left, top } = pane.getBoundingClientRect();
          this.zoom(this.place.scale * far(now) / far(old),
            (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
        } else if (this.place.scale > 1.01) {
          const { scale, x, y } = this.place;
          this.move({ scale, x: x + now[0] - old[0], y: y + now[1] - old[1] });
        }
        this.pointers.set(event.pointerId, now);
      });
      const end = (event) => {
        const one = this.pointers.size === 1 && this.begun && !this.begun.many;
        const by = this.begun ? event.clientX - this.begun.x : 0;
        if (event.type === "pointerup" && event.pointerType === "touch" && one
            && this.place.scale <= 1.01 && Math.abs(by) > 50) this.step(by < 0 ? 1 : -1);
        this.pointers.delete(event.pointerId);
      };
      ["pointerup", "pointercancel", "pointerleave"].forEach((kind) => pane.addEventListener(kind, end));
    }
    key(event) {
      const number = "123456789".indexOf(event.key), by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const shown = this.buttons.filter((button) => !button.hidden);
      if (by) this.step(by);
      else if (number >= 0 && shown[number]) this.show(shown[number].dataset.show);
      else if (event.key === "+" || event.key === "=") this.act("larger");
      else if (event.key === "-") this.act("smaller");
      else if (event.key === "0") this.act("whole");
      else return false;
      return true;
    }
  }

  const viewers = [...document.querySelectorAll(".viewer")].map((box) => {
    const viewer = new Viewer(box);
    viewer.of([...document.querySelectorAll(box.dataset.shots)]);
    if (!viewer.shots.length) return null;
    if (viewer.dialog) {
      viewer.shots.forEach((shot, index) => shot.querySelector(".thumb").addEventListener("click", () => {
        viewer.dialog.showModal();
        viewer.go(index);
      }));
    } else viewer.go(0);
    return viewer;
  }).filter(Boolean);

  const inView = (viewer) => {
    if (viewer.dialog) return viewer.dialog.open ? Infinity : 0;
    const { top, bottom } = viewer.box.getBoundingClientRect();
    return Math.min(bottom, window.innerHeight) - Math.max(top, 0);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea, .scroll")) return;
    const focused = viewers.filter((viewer) => viewer.box.contains(event.target));
    const seen = viewers.filter((viewer) => inView(viewer) > 60).sort((a, b) => inView(b) - inView(a));
    const [first] = [...focused, ...seen];
    if (first && first.key(event)) event.preventDefault();
  });

  /* on paper, nothing stays folded */
  window.addEventListener("beforeprint", () =>
    document.querySelectorAll("details").forEach((each) => { each.open = true; }));

  /* findings by their kind */
  document.querySelectorAll("[data-filter]").forEach((chip) => chip.addEventListener("click", () => {
    const kind = chip.dataset.filter;
    document.querySelectorAll("[data-filter]").forEach((each) => each.setAttribute("aria-pressed", each === chip));
    document.querySelectorAll(".finding").forEach((finding) => {
      finding.hidden = Boolean(kind) && !finding.dataset.kinds.split(" ").includes(kind);
    });
  }));
})();
