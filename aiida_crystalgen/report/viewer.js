// Structures and tetrahedra that turn: spheres, bonds and edges on a canvas, the far ones first.
(() => {
  const BOND = 1.15, SHARE = 0.45, STEP = 0.12;
  const style = getComputedStyle(document.documentElement);
  const colour = name => style.getPropertyValue(name).trim();
  const shaded = (hex, factor) => {
    const parts = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
    const mixed = parts.map(part => Math.round(factor > 1 ? part + (255 - part) * (factor - 1) : part * factor));
    return `rgb(${mixed.join(',')})`;
  };
  // Atoms that touch; of two metals only where there is nothing else.
  const bondsOf = scene => {
    if (scene.bonds) return scene.bonds;
    const found = [];
    scene.atoms.forEach(([kind, ...a], i) => {
      for (let j = 0; j < i; j++) {
        const [other, ...b] = scene.atoms[j];
        const far = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
        if (far > 0.4 && far < BOND * (scene.kinds[kind][2] + scene.kinds[other][2])) found.push([j, i, kind !== other]);
      }
    });
    const unlike = found.filter(bond => bond[2]);
    return unlike.length ? unlike : found;
  };

  window.turn = (canvas, scene) => {
    const pen = canvas.getContext('2d'), bonds = bondsOf(scene);
    let basis = [[1, 0, 0], [0, 1, 0], [0, 0, 1]], zoom = 1;
    const all = [...scene.atoms.map(atom => atom.slice(1)), ...scene.corners];
    const reach = Math.max(...all.map(p => Math.hypot(...p))) + Math.max(0, ...scene.kinds.map(kind => kind[2] * SHARE));
    const turned = p => basis.map(row => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]);
    const rotate = (across, up) => {
      const [c, s, d, u] = [Math.cos(across), Math.sin(across), Math.cos(up), Math.sin(up)];
      const [x, y, z] = basis;
      const middle = [x.map((v, i) => c * v + s * z[i]), y, z.map((v, i) => c * v - s * x[i])];
      basis = [middle[0], middle[1].map((v, i) => d * v - u * middle[2][i]), middle[2].map((v, i) => u * middle[1][i] + d * v)];
      draw();
    };
    const line = (a, b, stroke, width) => {
      pen.beginPath(); pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]);
      pen.strokeStyle = stroke; pen.lineWidth = width; pen.stroke();
    };
    const draw = () => {
      const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
      if (!wide || !high) return;
      if (canvas.width !== Math.round(wide * ratio)) [canvas.width, canvas.height] = [Math.round(wide * ratio), Math.round(high * ratio)];
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, wide, high);
      const scale = zoom * (Math.min(wide, high) / 2 - 4) / reach;
      const flat = p => { const [x, y, z] = turned(p); return [wide / 2 + x * scale, high / 2 - y * scale, z]; };
      const atoms = scene.atoms.map(([kind, ...p]) => [...flat(p), kind]), corners = scene.corners.map(flat);
      const items = scene.edges.map(([a, b]) => [Math.min(corners[a][2], corners[b][2]) - reach, () => line(corners[a], corners[b], colour('--faint'), 1)]);
      for (const [a, b, tie] of bonds) {
        const [p, q] = [atoms[a], atoms[b]], middle = [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
        const width = scene.bonds ? 1.2 : Math.max(scale * 0.14, 1.5);
        items.push([(p[2] + q[2]) / 2 - 0.01, () => {
          line(p, middle, scene.bonds ? colour('--soft') : shaded(scene.kinds[p[3]][1], 0.8), width);
          line(middle, q, scene.bonds ? colour('--soft') : shaded(scene.kinds[q[3]][1], 0.8), width);
        }]);
      }
      atoms.forEach(([x, y, z, kind], place) => items.push([z, () => {
        const [, base, radius] = scene.kinds[kind], size = Math.max(radius * SHARE * scale, 2);
        const light = pen.createRadialGradient(x - size * 0.35, y - size * 0.35, size * 0.1, x, y, size);
        light.addColorStop(0, shaded(base, 1.75)); light.addColorStop(0.35, base); light.addColorStop(1, shaded(base, 0.62));
        pen.beginPath(); pen.arc(x, y, size, 0, 2 * Math.PI);
        pen.fillStyle = light; pen.fill();
        pen.strokeStyle = 'rgba(30,38,50,.55)'; pen.lineWidth = 0.7; pen.stroke();
        const name = scene.names && scene.names[place];
        if (name) {
          pen.font = '600 13px system-ui, sans-serif'; pen.textAlign = 'center';
          pen.lineWidth = 4; pen.strokeStyle = colour('--paper'); pen.strokeText(name, x, y + size + 14);
          pen.fillStyle = colour('--ink'); pen.fillText(name, x, y + size + 14);
        }
      }]));
      items.sort((a, b) => a[0] - b[0]).forEach(([, paint]) => paint());
    };
    let held = null;
    canvas.onpointerdown = event => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointermove = event => {
      if (!held) return;
      rotate((event.clientX - held[0]) / 90, (event.clientY - held[1]) / 90);
      held = [event.clientX, event.clientY];
    };
    canvas.onpointerup = canvas.onpointercancel = () => { held = null; };
    canvas.onkeydown = event => {
      const move = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
      if (move) rotate(...move);
      else if ('+-'.includes(event.key)) { zoom *= event.key === '+' ? 1.15 : 1 / 1.15; draw(); }
      else return;
      event.preventDefault();
    };
    if (!canvas.redraw) new ResizeObserver(() => canvas.redraw()).observe(canvas);
    canvas.redraw = draw;
    draw();
  };

  for (const holder of document.querySelectorAll('[data-scene]')) {
    const scene = JSON.parse(holder.dataset.scene), canvas = document.createElement('canvas');
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `${holder.dataset.label}: drag, or use the arrow keys, to turn it`);
    holder.replaceChildren(canvas);
    window.turn(canvas, scene);
  }

  const dialog = document.getElementById('viewer');
  window.showScene = (scene, title) => {
    dialog.querySelector('h3').innerHTML = title;
    dialog.querySelector('.kinds').replaceChildren(...scene.kinds.map(([symbol, fill]) => {
      const item = document.createElement('span'), dot = item.appendChild(document.createElement('i'));
      dot.style.background = fill;
      item.append(symbol);
      return item;
    }));
    const canvas = dialog.querySelector('canvas');
    dialog.showModal();
    window.turn(canvas, scene);
    canvas.focus();
  };
})();
