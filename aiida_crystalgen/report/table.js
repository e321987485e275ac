// The ranked table: all rows are in memory, those in sight are in the page. Sort by a heading, search by words.
(() => {
  const source = document.getElementById('rows');
  if (!source) return;
  const { columns, n, links, scenes } = JSON.parse(source.textContent);
  const box = document.getElementById('ranked'), table = box.querySelector('table'), body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells], counter = document.getElementById('found');
  const ROW = 34, SPARE = 12, ALL = 60, ON_PAPER = 200;
  const places = Uint32Array.from({ length: n }, (_, i) => i);
  let order = places, sorted = places, first = -1, last = -1, printing = false;

  const text = (column, value) => {
    if (value === null) return '–';
    if (value === true || value === false) return value ? 'yes' : 'no';
    return typeof value === 'number' ? value.toFixed(column.digits).replace('-', '−') : value;
  };
  const haystack = columns[0] ? Array.from({ length: n }, (_, i) =>
    columns.filter(column => !column.numeric).map(column => text(column, column.values[i])).join(' ').toLowerCase()) : [];

  // Numbers to sort by: the values, or the places of texts in their natural order (Al2 before Al10). Unknown is NaN.
  const keys = columns.map(() => null);
  const keysOf = place => {
    if (keys[place]) return keys[place];
    const { values, numeric } = columns[place];
    if (numeric) return keys[place] = Float64Array.from(values, value => value === null ? NaN : Number(value));
    const padded = value => String(value).replace(/\d+/g, digits => digits.padStart(12, '0'));
    const known = [...new Set(values)].filter(value => value !== null).map(value => [padded(value), value]);
    known.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
    const rank = new Map(known.map(([, value], i) => [value, i]));
    return keys[place] = Float64Array.from(values, value => value === null ? NaN : rank.get(value));
  };

  const cell = (column, place, row) => {
    const td = document.createElement('td'), value = column.values[row], shown = text(column, value);
    if (column.numeric) td.className = 'n';
    if (column.name === 'formula' && value !== null) {
      const holder = scenes[row] ? td.appendChild(document.createElement('button')) : td;
      for (const part of shown.split(/(\d+)/)) {
        if (/^\d+$/.test(part)) holder.appendChild(document.createElement('sub')).textContent = part;
        else holder.append(part);
      }
      if (scenes[row]) {
        holder.className = 'look';
        holder.title = 'Turn the structure';
        holder.addEventListener('click', () => window.showScene(scenes[row], holder.innerHTML));
      }
    } else if (column.name === 'id') {
      const link = links[row] ? td.appendChild(document.createElement('a')) : td;
      if (links[row]) link.href = links[row];
      link.appendChild(document.createElement('code')).textContent = shown;
    } else td.textContent = shown;
    return td;
  };
  const rowOf = (row, place) => {
    const tr = document.createElement('tr');
    tr.setAttribute('aria-rowindex', place + 2);
    columns.forEach((column, i) => tr.append(cell(column, i, row)));
    return tr;
  };
  const spacer = height => {
    const tr = document.createElement('tr');
    tr.className = 'space';
    tr.setAttribute('aria-hidden', 'true');
    tr.appendChild(document.createElement('td')).colSpan = columns.length;
    tr.firstChild.style.height = `${height}px`;
    return tr;
  };
  // The longest text of each column keeps the widths as they are while rows come and go.
  const sizer = document.createElement('tr');
  sizer.className = 'sizer';
  sizer.setAttribute('aria-hidden', 'true');
  for (const column of columns) {
    let longest = '';
    for (const value of column.values) { const shown = text(column, value); if (shown.length > longest.length) longest = shown; }
    const td = sizer.appendChild(document.createElement('td')), span = td.appendChild(document.createElement('div'));
    span.textContent = longest;
    if (column.name === 'id') span.className = 'code';
  }

  const draw = force => {
    const whole = printing || order.length <= ALL;
    const top = whole ? 0 : Math.max(Math.floor(box.scrollTop / ROW) - SPARE, 0);
    const most = printing ? ON_PAPER : ALL;
    const end = whole ? Math.min(order.length, most) : Math.min(top + Math.ceil(box.clientHeight / ROW) + 2 * SPARE, order.length);
    if (!force && top === first && end === last) return;
    [first, last] = [top, end];
    const rows = [sizer];
    if (top) rows.push(spacer(top * ROW));
    for (let place = top; place < end; place++) rows.push(rowOf(order[place], place));
    if (!whole && end < order.length) rows.push(spacer((order.length - end) * ROW));
    body.replaceChildren(...rows);
  };
  const arrange = () => {
    const wanted = parse(document.getElementById('search').value);
    order = wanted.length ? sorted.filter(row => wanted.every(test => test(row))) : sorted;
    table.setAttribute('aria-rowcount', order.length + 1);
    counter.textContent = order.length === n ? `${n} crystals` : `${order.length} of ${n} crystals`;
    box.scrollTop = 0;
    draw(true);
  };
  // Words are looked for in all texts; `e_hull<0.05` compares a column.
  const compare = { '<': (a, b) => a < b, '>': (a, b) => a > b, '<=': (a, b) => a <= b, '>=': (a, b) => a >= b, '=': (a, b) => a === b };
  const parse = words => words.trim().toLowerCase().split(/\s+/).filter(Boolean).map(word => {
    const [, name, sign, limit] = /^([a-z_]\w*)(<=|>=|<|>|=)(.+)$/.exec(word) || [];
    const column = columns.find(one => one.name.toLowerCase() === name);
    if (!column) return row => haystack[row].includes(word);
    if (!column.numeric) return row => compare[sign](String(column.values[row]).toLowerCase(), limit);
    const number = { yes: 1, no: 0 }[limit] ?? Number(limit);
    return row => column.values[row] !== null && compare[sign](Number(column.values[row]), number);
  });

  heads.forEach((head, place) => head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending', key = keysOf(place), sense = down ? -1 : 1;
    heads.forEach(other => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    sorted = places.slice().sort((a, b) => {
      const x = key[a], y = key[b];
      if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
      return (x - y) * sense || a - b;
    });
    arrange();
  }));
  document.getElementById('search').addEventListener('input', arrange);
  let waiting = false;
  box.addEventListener('scroll', () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(false); });
  }, { passive: true });
  addEventListener('resize', () => draw(false));
  addEventListener('beforeprint', () => { printing = true; draw(true); });
  addEventListener('afterprint', () => { printing = false; draw(true); });
  document.querySelectorAll('.scripted').forEach(part => part.removeAttribute('hidden'));
  box.classList.toggle('tall', n > ALL);
  arrange();
  // A first click need not wait for what can be prepared while nobody looks.
  (window.requestIdleCallback || setTimeout)(() => columns.forEach((_, place) => keysOf(place)));
})();
