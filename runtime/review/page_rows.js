// The answers, in columns. Everything that comes from the results is set as text, never as HTML.

const find = (selector, root = document) => root.querySelector(selector);
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const count = number => number.toLocaleString('en-US');
const head = JSON.parse(find('#head').textContent);
const {labels} = head;
const KINDS = ['ok', 'unsure', 'unknown', 'failed'];
const rows = {
  paths: new Array(head.count),
  label: new Int32Array(head.count).fill(-1),
  status: new Uint8Array(head.count),
  confidence: new Int32Array(head.count).fill(-1),    // in millionths; -1 for none
  truth: new Int32Array(head.count).fill(-1),
  decision: new Uint8Array(head.count),               // see DECISIONS
  decided: new Int32Array(head.count).fill(-1),       // the label that was decided
  rank: new Uint32Array(head.count),                  // the place in the order of the paths
  sheets: [],                                         // the files of the thumbnails
};
const NONE = -1;
const isWrong = number => rows.truth[number] !== NONE && rows.truth[number] !== rows.label[number];
const percent = share => share < 0 ? '' : (Math.floor(share / 1000) / 10).toFixed(1) + ' %';   // 99.96 % is not 100 %

const waiting = new Map();          // chunks that are on their way, by their names
globalThis.arrived = (name, content) => {   // what the files beside the page call
  waiting.get(name)?.(content);
  waiting.delete(name);
};

async function load(kind, number) {
  const name = `${kind}-${number}`;
  if (head.served) {
    const response = await fetch(address(kind, {n: number}));
    if (!response.ok) throw new Error(response.statusText);
    return response.json();
  }
  return new Promise((resolve, reject) => {   // a page from disk may not fetch
    waiting.set(name, resolve);
    const script = make('script', {src: `${head.folder}/${name}.js`});
    script.onerror = () => reject(new Error(`${name}.js is missing beside the page`));
    script.onload = () => script.remove();
    document.head.append(script);
  });
}

function address(route, values = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) query.set(name, value);
  return `${route}?${query}`;
}

async function loadRows() {
  const chunks = Math.ceil(head.count / head.rows_in_chunk);
  await Promise.all(Array.from({length: chunks}, async (_, chunk) => {
    const columns = await load('rows', chunk), start = chunk * head.rows_in_chunk;
    columns.paths.forEach((path, place) => { rows.paths[start + place] = path; });
    for (const name of ['label', 'status', 'confidence', 'truth', 'rank']) rows[name].set(columns[name], start);
    columns.sheets?.forEach((sheet, place) => { rows.sheets[start / head.on_sheet + place] = sheet; });
  }));
}

let details = {chunk: NONE, content: null};   // the last one, as the next image is mostly in it too
async function detailsOf(number) {
  const chunk = Math.floor(number / head.rows_in_details);
  if (details.chunk !== chunk) details = {chunk, content: load('details', chunk)};
  return (await details.content)[number % head.rows_in_details];
}

function showThumbnail(element, number, side) {
  const {style} = element, place = number % head.on_sheet, {across} = head;
  style.width = style.height = `${side}px`;
  if (head.served) {
    style.backgroundImage = `url("${address('thumbnail', {n: number})}")`;
    style.backgroundSize = `${side}px`;
    return;
  }
  style.backgroundImage = `url("${head.folder}/${rows.sheets[Math.floor(number / head.on_sheet)]}")`;
  style.backgroundSize = `${across * side}px auto`;
  style.backgroundPosition = `${-(place % across) * side}px ${-Math.floor(place / across) * side}px`;
}

// --- which of them are shown, and in which order ---

const groupOf = number => rows.status[number] ? labels.length + rows.status[number] : rows.label[number];
const groupName = group => group < labels.length ? labels[group] ?? 'no label' : KINDS[group - labels.length];
const view = {order: new Uint32Array(0), sections: []};   // sections: {group, start, count}, places in the order

function readFilter() {
  const value = name => find('#' + name).value, number = (name, otherwise) => value(name) === '' ? otherwise : 1e4 * value(name);
  return {
    label: value('label'), kind: value('kind'), truth: value('truth'), decision: value('decision'), order: value('order'),
    low: number('low', -Infinity), high: number('high', Infinity), path: value('path').toLowerCase(),
  };
}

function passes(filter) {
  const {label, status, confidence, truth, decision, paths} = rows;
  const tests = [];
  if (filter.label !== '') tests.push(number => label[number] === +filter.label);
  if (filter.kind !== '') tests.push(number => status[number] === +filter.kind);
  if (filter.decision !== '') tests.push(number => decision[number] === +filter.decision);
  if (filter.truth === 'wrong') tests.push(isWrong);
  else if (filter.truth === 'right') tests.push(number => truth[number] !== NONE && !isWrong(number));
  else if (filter.truth !== '') tests.push(number => truth[number] === +filter.truth);
  if (filter.low > 0 || filter.high < 1e6) tests.push(number => confidence[number] >= filter.low && confidence[number] <= filter.high && confidence[number] >= 0);
  if (filter.path) tests.push(number => paths[number].toLowerCase().includes(filter.path));
  return number => tests.every(test => test(number));
}

function choose(filter) {
  const pass = passes(filter), order = new Uint32Array(head.count), sections = [];
  let length = 0;
  for (let number = 0; number < head.count; number++) {
    if (!pass(number)) continue;
    const group = groupOf(number), last = sections.at(-1);
    if (last?.group === group) last.count++;
    else sections.push({group, start: length, count: 1});
    order[length++] = number;
  }
  Object.assign(view, {order: order.subarray(0, length), sections});
  for (const {start, count} of sections) sortSection(view.order.subarray(start, start + count), filter.order);
}

function sortSection(numbers, order) {   // they are the least confident first already
  if (order === 'most') numbers.reverse();
  if (order === 'path') numbers.sort((one, other) => rows.rank[one] - rows.rank[other]);
}
