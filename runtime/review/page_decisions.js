// What was decided. Served, each decision is sent at once; a page from disk keeps them until they are saved as a file.

const DECISIONS = ['', 'accepted', 'corrected', 'rejected'];
const UNDONE = 'undone';
const kept = new Map();       // a page from disk: the last decision of each image, by its path
let queue = [];               // served: what the server has not confirmed: [path, label, decision, time]
let history = [];             // numbers of images, one list for each action, the last one at the end
let unsaved = 0, lastTime = 0, numbers = null;
const own = `${head.key} ${crypto.getRandomValues(new Uint32Array(2)).join('')}`;

function numberOf(path) {
  numbers ??= new Map(rows.paths.map((one, number) => [one, number]));
  return numbers.get(path);
}

function now() {              // a path and a time identify a decision, so no two are made at the same time
  lastTime = Math.max(Date.now(), lastTime + 1);
  return new Date(lastTime).toISOString();
}

function apply([path, label, decision]) {
  const number = numberOf(path), place = decision === UNDONE ? 0 : DECISIONS.indexOf(decision);
  if (number === undefined || place < 0) return;
  rows.decision[number] = place;
  rows.decided[number] = place ? labels.indexOf(label) : NONE;
}

function record(chosen, entryOf) {
  const time = now(), entries = chosen.map(number => [rows.paths[number], ...entryOf(number), time]);
  entries.forEach(apply);
  if (head.served) queue.push(...entries);
  else for (const entry of entries) keep(entry);
  unsaved += entries.length;
  store();
  showDecisions(chosen);
}

function keep(entry) {
  kept.delete(entry[0]);
  kept.set(entry[0], entry);
}

// label: the number of a class. Returns the images that were decided: those without an answer cannot be accepted.
function decide(chosen, decision, label = NONE) {
  const labelOf = number => decision === 'rejected' ? NONE : label === NONE ? rows.label[number] : label;
  const able = chosen.filter(number => decision === 'rejected' || labelOf(number) !== NONE);
  if (!able.length) return able;
  history.push(able);
  record(able, number => {
    const right = labelOf(number), isSame = decision === 'corrected' && right === rows.label[number];
    return [labels[right] ?? '', isSame ? 'accepted' : decision];
  });
  return able;
}

// Undoes the images if any of them is decided, and the last action otherwise. Returns the images.
function undo(chosen) {
  let undone = chosen.filter(number => rows.decision[number]);
  while (!undone.length && history.length) undone = history.pop().filter(number => rows.decision[number]);
  if (undone.length) record(undone, () => ['', UNDONE]);
  return undone;
}

// --- what the browser keeps ---

let timer = 0;
function store() {
  if (head.served) {
    storeNow();
    send();
  } else {
    clearTimeout(timer);
    timer = setTimeout(storeNow, 200);
  }
  showStatus();
}

function storeNow() {
  clearTimeout(timer);
  const entries = head.served ? queue : [...kept.values()];
  try {
    if (entries.length) localStorage.setItem(head.served ? own : head.key, JSON.stringify({entries, unsaved}));
    else localStorage.removeItem(head.served ? own : head.key);
  } catch {
    showStatus(head.served ? '' : 'This browser keeps no more decisions; save corrections.csv now');
  }
}

function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? {};
  } catch {
    return {};
  }
}

async function restore() {
  if (!head.served) {
    head.decided.forEach(entry => { keep(entry); apply(entry); });
    const {entries = [], unsaved: left = 0} = stored(head.key);
    entries.forEach(entry => { keep(entry); apply(entry); });
    unsaved = left;
    addEventListener('pagehide', storeNow);
    return;
  }
  // Other tabs may have left some behind. What they send too is written only once.
  const others = Object.keys(localStorage).filter(key => key.startsWith(`${head.key} `) && key !== own);
  queue = others.flatMap(key => stored(key).entries ?? []).sort((one, other) => one[3] < other[3] ? -1 : 1);
  storeNow();
  others.forEach(key => localStorage.removeItem(key));
  await refresh();
  send();
}

// --- served: one request at a time, in order, until all are confirmed ---

const MOST_AT_ONCE = 500, AGAIN_MS = 1000;
let isSending = false, trouble = '';

async function send() {
  if (isSending || !queue.length) return;
  isSending = true;
  while (queue.length) {
    const some = queue.slice(0, MOST_AT_ONCE);
    try {
      const response = await fetch(address('decide'), {
        method: 'POST', priority: 'high', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(some),
      });
      if (!response.ok) throw new Error((await response.text()).trim());
      queue = queue.slice(some.length);
      trouble = '';
      storeNow();
    } catch (error) {
      trouble = error instanceof TypeError ? 'No connection; trying again' : error.message;
    }
    showStatus();
    if (trouble) await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
  }
  isSending = false;
}

async function refresh() {    // what other tabs have decided meanwhile
  const response = await fetch(address('decided')).catch(() => null);
  if (!response?.ok) return;
  const decided = await response.json();
  rows.decision.fill(0);
  rows.decided.fill(NONE);
  [...decided, ...queue].forEach(apply);
}

// --- a page from disk: the file ---

function cell(text) {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save() {
  const lines = [['path', 'label', 'decision', 'time'], ...kept.values()].map(cells => cells.map(cell).join(',') + '\n');
  const link = make('a', {href: URL.createObjectURL(new Blob(lines, {type: 'text/csv'})), download: 'corrections.csv'});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  unsaved = 0;
  storeNow();
  showStatus();
}

function showStatus(text = '') {
  const status = find('#status'), all = rows.decision.reduce((sum, one) => sum + (one > 0), 0);
  const left = head.served ? queue.length : unsaved;
  const state = left ? head.served ? `${count(left)} being sent` : `${count(left)} not saved to a file` : all ? 'all saved' : '';
  status.textContent = text || [trouble, `${count(all)} decided`, state].filter(Boolean).join(' · ');
  status.classList.toggle('lost', Boolean(trouble || text));
  find('#save').hidden = head.served || !kept.size;
}
