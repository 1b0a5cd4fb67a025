// The grid: only what is in view is in the page.

const GROUP = 40, CAPTION = 24, GAP = 8, BORDER = 4, LEAST_CELL = 104, AHEAD = 600;
const grid = find('#grid');
const cells = new Map();      // the elements in the page, by place in the order; groups by -1 - their number
const chosen = new Set();     // numbers of images
let focus = 0, anchor = 0;    // places in the order
let shape = {across: 1, side: 96, step: 1, tops: []};
let isChoosing = false;

function layOut() {
  const width = grid.clientWidth, across = Math.max(2, Math.floor((width + GAP) / (LEAST_CELL + GAP)));
  const side = Math.floor((width - GAP * (across - 1)) / across) - BORDER, step = side + CAPTION + BORDER + GAP;
  let top = 0;
  const tops = view.sections.map(({count}) => {
    const start = top;
    top += GROUP + step * Math.ceil(count / across);
    return start;
  });
  shape = {across, side, step, tops};
  grid.style.height = `${top}px`;
  cells.forEach(element => element.remove());
  cells.clear();
  draw();
}

function sectionAt(value, of) {   // the last section that starts at or before the value
  let low = 0, high = view.sections.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (of(middle) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placeOf(at) {
  const number = sectionAt(at, one => view.sections[one].start), inside = at - view.sections[number].start;
  const row = Math.floor(inside / shape.across);
  return {left: inside % shape.across * (shape.side + BORDER + GAP), top: shape.tops[number] + GROUP + row * shape.step};
}

function draw() {
  const from = -grid.getBoundingClientRect().top - AHEAD, to = from + innerHeight + 2 * AHEAD, wanted = new Set();
  if (view.sections.length) {
    const first = sectionAt(from, one => shape.tops[one]);
    for (let one = first; one < view.sections.length && shape.tops[one] < to; one++) {
      const {start, count} = view.sections[one], top = shape.tops[one] + GROUP;
      const row = Math.max(0, Math.floor((from - top) / shape.step)), end = Math.ceil((to - top) / shape.step);
      wanted.add(-1 - one);
      for (let at = row * shape.across; at < Math.min(count, end * shape.across); at++) wanted.add(start + at);
    }
  }
  cells.forEach((element, key) => {
    if (wanted.has(key)) return;
    element.remove();
    cells.delete(key);
  });
  const added = document.createDocumentFragment();
  wanted.forEach(key => {
    if (cells.has(key)) return;
    const element = key < 0 ? groupElement(-1 - key) : cellElement(key);
    cells.set(key, element);
    added.append(element);
  });
  grid.append(added);
}

function groupElement(one) {
  const {group, count: many} = view.sections[one];
  const button = make('button', {type: 'button', textContent: 'Choose all'});
  button.dataset.section = one;
  const element = make('div', {className: 'group'}, make('bdi', {textContent: groupName(group)}), make('span', {textContent: count(many)}), button);
  element.style.transform = `translateY(${shape.tops[one]}px)`;
  return element;
}

function cellElement(at) {
  const number = view.order[at], {left, top} = placeOf(at), {side} = shape;
  const thumb = make('div', {className: 'thumb'}), label = rows.label[number];
  showThumbnail(thumb, number, side);
  if (rows.status[number] === 3) thumb.textContent = 'failed';
  const caption = make('div', {className: 'caption'},
    make('bdi', {textContent: labels[label] ?? 'no answer'}), make('span', {textContent: percent(rows.confidence[number])}));
  const element = make('div', {className: 'cell', title: rows.paths[number]}, thumb, caption, make('div', {className: 'mark'}));
  element.dataset.at = at;
  element.id = `cell-${at}`;
  element.setAttribute('role', 'option');
  Object.assign(element.style, {width: `${side + BORDER}px`, transform: `translate(${left}px, ${top}px)`});
  mark(element, at);
  return element;
}

function mark(element, at) {
  const number = view.order[at], decision = rows.decision[number];
  element.className = `cell d${decision}${isWrong(number) ? ' wrong' : ''}${at === focus ? ' focused' : ''}`;
  element.setAttribute('aria-selected', chosen.has(number));
  element.setAttribute('aria-label', `${labels[rows.label[number]] ?? 'no answer'}, ${rows.paths[number]}, ${DECISIONS[decision] || 'not decided'}`);
  find('.mark', element).textContent = decision === 3 ? 'rejected' : decision ? labels[rows.decided[number]] ?? '' : '';
}

function showMarks() {
  cells.forEach((element, key) => { if (key >= 0) mark(element, key); });
  grid.setAttribute('aria-activedescendant', `cell-${focus}`);
  showActions();
}

function showActions() {
  find('#actions').hidden = !chosen.size && !isChoosing;
  find('#chosen').textContent = `${count(chosen.size)} chosen`;
}

function showDecisions() {
  showMarks();
  showLarge();
}

function showCounts() {
  const {length} = view.order;
  find('#counts').textContent = length === head.count ? `${count(length)} images` : `${count(length)} of ${count(head.count)} images`;
  find('#nothing').hidden = length > 0;
  find('#choose-all').disabled = !length;
}

function filter() {
  const number = view.order[focus];
  choose(readFilter());
  focus = anchor = Math.max(0, view.order.indexOf(number));
  layOut();
  showCounts();
  showMarks();
}

// --- where the keys are, and what is chosen ---

function moveTo(at) {
  if (!view.order.length) return;
  focus = Math.min(Math.max(0, at), view.order.length - 1);
  const {top} = placeOf(focus), box = grid.getBoundingClientRect();
  const bar = matchMedia('(max-width: 45rem)').matches ? 0 : find('header').offsetHeight;
  const above = box.top + top - bar - GROUP, below = box.top + top + shape.step - innerHeight + 60;
  if (above < 0) scrollBy(0, above);
  else if (below > 0) scrollBy(0, below);
  draw();
  showMarks();
  showLarge();
}

function moveRow(down) {      // to the image above or below, also across groups
  const {left, top} = placeOf(focus), step = down ? 1 : -1;
  let at = focus, best = focus, nextTop = null;
  while (at + step >= 0 && at + step < view.order.length) {
    at += step;
    const place = placeOf(at);
    if (place.top === top) continue;
    nextTop ??= place.top;
    if (place.top !== nextTop) break;
    if (best === focus || Math.abs(place.left - left) < Math.abs(placeOf(best).left - left)) best = at;
  }
  moveTo(best);
}

function targets() {
  if (chosen.size) return [...chosen];
  return view.order.length ? [view.order[focus]] : [];
}

function toggle(at) {
  const number = view.order[at];
  if (!chosen.delete(number)) chosen.add(number);
  focus = anchor = at;
  showMarks();
}

function chooseTo(at) {
  for (let one = Math.min(anchor, at); one <= Math.max(anchor, at); one++) chosen.add(view.order[one]);
  focus = at;
  showMarks();
}

function chooseAll(numbers) {
  for (const number of numbers) chosen.add(number);
  showMarks();
}

function chooseNone() {
  chosen.clear();
  showMarks();
}
