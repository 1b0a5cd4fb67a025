// One image, large, with all that is known about it.

const large = find('#large');
let shown = NONE;             // the number of the image

function openLarge(at) {
  moveTo(at);
  if (!large.open) {
    large.showModal();
    find('.stage', large).focus();   // `autofocus` would also count while the page loads
  }
  showLarge();
}

function showLarge() {
  if (!large.open || !view.order.length) return;
  const number = view.order[focus];
  const isTrue = rows.truth[number] === NONE ? '' : `, truth: ${labels[rows.truth[number]]}`;
  find('.label bdi', large).textContent = labels[rows.label[number]] ?? 'no answer';
  find('.decided', large).textContent = `${KINDS[rows.status[number]]}${isTrue}` + (rows.decision[number] ?
    ` · ${DECISIONS[rows.decision[number]]}${rows.decided[number] === NONE ? '' : `: ${labels[rows.decided[number]]}`}` : '');
  if (number === shown) return;
  shown = number;
  showImage(number, null);
  find('.scores', large).replaceChildren();
  find('.about', large).replaceChildren();
  detailsOf(number).then(details => { if (number === shown) showDetails(number, details); }).catch(error => showStatus(error.message));
}

function showImage(number, source) {
  const image = find('.stage img', large), thumb = find('.stage .thumb', large);
  const url = head.served ? address('image', {n: number}) : source;
  image.hidden = !url;
  thumb.hidden = Boolean(url);
  if (!url) return showThumbnail(thumb, number, head.side * 2);
  image.onerror = () => {
    image.hidden = true;
    thumb.hidden = false;
    showThumbnail(thumb, number, head.side * 2);
  };
  image.alt = rows.paths[number];
  image.src = url;
}

function showDetails(number, {scores, about, image}) {
  if (!head.served) showImage(number, image);
  find('.scores', large).replaceChildren(...scores.map(([label, score]) => {
    const bar = make('i');
    bar.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
    return make('li', {}, make('bdi', {textContent: label}), make('span', {textContent: percent(1e6 * score)}), make('div', {className: 'track'}, bar));
  }));
  find('.about', large).replaceChildren(...[['path', rows.paths[number]], ...about].flatMap(([name, value]) =>
    [make('dt', {textContent: name}), make('dd', {}, make('bdi', {textContent: value}))]));
}

// --- truth against answer ---

const MOST_IN_TABLE = 40, MOST_IN_LIST = 100;

function confusions() {
  const counts = new Map();
  for (let number = 0; number < head.count; number++) {
    if (rows.truth[number] === NONE || rows.label[number] === NONE) continue;
    const key = rows.truth[number] * labels.length + rows.label[number];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function matrixButton(truth, label, many, text) {
  const title = `truth ${labels[truth]}, answer ${labels[label]}`;
  const button = make('button', {type: 'button', textContent: text ?? count(many), title});
  button.dataset.truth = truth;
  button.dataset.label = label;
  return button;
}

function showMatrix() {
  const counts = confusions(), inUse = new Set([...counts.keys()].flatMap(key => [Math.floor(key / labels.length), key % labels.length]));
  const used = [...labels.keys()].filter(one => inUse.has(one));
  find('#confusion').hidden = find('#truths').hidden = !counts.size;
  if (used.length > MOST_IN_TABLE) {
    const wrong = [...counts].filter(([key]) => Math.floor(key / labels.length) !== key % labels.length);
    wrong.sort((one, other) => other[1] - one[1]);
    find('#matrix').replaceChildren(...wrong.slice(0, MOST_IN_LIST).map(([key, many]) => {
      const truth = Math.floor(key / labels.length), label = key % labels.length;
      return matrixButton(truth, label, many, `${labels[truth]} → ${labels[label]}: ${count(many)}`);
    }));
    return;
  }
  const line = truth => make('tr', {}, make('th', {textContent: labels[truth], scope: 'row'}), ...used.map(label => {
    const many = counts.get(truth * labels.length + label);
    return make('td', {className: truth === label ? 'right' : 'wrong'}, ...(many ? [matrixButton(truth, label, many)] : []));
  }));
  const first = make('tr', {}, make('th', {textContent: 'truth ↓ answer →'}), ...used.map(label => make('th', {textContent: labels[label], scope: 'col'})));
  find('#matrix').replaceChildren(make('table', {}, first, ...used.map(line)));
}
