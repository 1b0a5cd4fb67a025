// Keys, clicks, and the start of the page.

const SWALLOW_MS = 800;
let typed = '';               // the beginning of a class
let rest = {letters: '', until: 0};   // what people may still type of a class that is clear already

function act(name) {
  const before = targets(), hadChosen = chosen.size > 0;
  if (name === 'accept') after(decide(before, 'accepted'), hadChosen);
  if (name === 'reject') after(decide(before, 'rejected'), hadChosen);
  if (name === 'undo') afterUndo(undo(before));
  if (name === 'clear') setChoosing(false);
  if (name === 'before') moveTo(focus - 1);
  if (name === 'after') moveTo(focus + 1);
  if (name === 'close') large.close();
}

function correct(label) {
  const hadChosen = chosen.size > 0;
  after(decide(targets(), 'corrected', label), hadChosen);
}

function after(decided, hadChosen) {
  if (!decided.length) return showStatus('There is no answer to accept; choose a class');
  if (hadChosen) chooseNone();
  else moveTo(focus + 1);
}

function afterUndo(undone) {
  const at = undone.length ? view.order.indexOf(undone[0]) : -1;
  if (at >= 0 && undone.length === 1) moveTo(at);
}

function setChoosing(on) {
  isChoosing = on;
  find('#choose').setAttribute('aria-pressed', on);
  if (on) showMarks();
  else chooseNone();
}

// --- a class by its first letters ---

const letters = text => text.toLowerCase();
const classesLike = start => [...labels.keys()].filter(one => letters(labels[one]).startsWith(start));

function type(letter) {
  if (rest.letters && performance.now() < rest.until && letters(letter) === rest.letters[0]) {
    rest = {letters: rest.letters.slice(1), until: performance.now() + SWALLOW_MS};
    return;
  }
  const start = typed + letters(letter), found = classesLike(start);
  if (found.length === 1) {
    rest = {letters: letters(labels[found[0]]).slice(start.length), until: performance.now() + SWALLOW_MS};
    showTyped('');
    correct(found[0]);
  } else {
    showTyped(found.length ? start : typed, found.length ? '' : `no class begins with ${start}`);
  }
}

function showTyped(start, problem = '') {
  typed = start;
  const found = start ? classesLike(start) : [], line = find('#typed');
  const exact = found.find(one => letters(labels[one]) === start);
  if (start || problem) line.showPopover();
  else line.hidePopover();
  line.textContent = problem || `${start}…  ${found.slice(0, 8).map(one => labels[one]).join(', ')}` + (exact === undefined ? '' : ` · Enter: ${labels[exact]}`);
  if (problem) setTimeout(() => { if (!typed) line.hidePopover(); }, 1500);
}

function finishTyped() {
  const [first] = classesLike(typed), exact = classesLike(typed).find(one => letters(labels[one]) === typed);
  showTyped('');
  correct(exact ?? first);
}

const MOVES = {
  ArrowLeft: () => moveTo(focus - 1), ArrowRight: () => moveTo(focus + 1),
  ArrowUp: () => large.open ? moveTo(focus - 1) : moveRow(false), ArrowDown: () => large.open ? moveTo(focus + 1) : moveRow(true),
  Home: () => moveTo(0), End: () => moveTo(view.order.length - 1),
};

function press(event) {
  const {key, target} = event, isButton = target.closest('button, summary, a');
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea')) return;
  if (isButton && (key === 'Enter' || key === ' ')) return;
  if (MOVES[key]) {
    const from = anchor;
    showTyped('');
    MOVES[key]();
    if (event.shiftKey && !large.open) {
      anchor = from;
      chooseTo(focus);
    } else anchor = focus;
  } else if (key === 'Enter') {
    if (typed) finishTyped();
    else act('accept');
  } else if (key === ' ') large.open ? large.close() : openLarge(focus);
  else if (key === 'Escape') {
    if (!typed && !large.open) setChoosing(false);
    if (typed || !large.open) event.preventDefault();
    showTyped('');
    return;
  } else if (key === 'Backspace') showTyped(typed.slice(0, -1));
  else if (key.length !== 1) return;
  else if (!typed && !isRest(key) && key === 'x') act('reject');
  else if (!typed && !isRest(key) && key === 'u') act('undo');
  else if (!typed && /[1-9]/.test(key) && !classesLike(key).length && +key <= labels.length) correct(+key - 1);
  else type(key);
  event.preventDefault();
}

const isRest = key => rest.letters && performance.now() < rest.until && key === rest.letters[0];

function click(event) {
  const cell = event.target.closest('.cell'), section = event.target.closest('[data-section]')?.dataset.section;
  if (section !== undefined) {
    const {start, count} = view.sections[section];
    chooseAll(view.order.subarray(start, start + count));
  }
  if (!cell) return;
  const at = +cell.dataset.at;
  if (event.shiftKey) chooseTo(at);
  else if (event.ctrlKey || event.metaKey || isChoosing) toggle(at);
  else {
    anchor = at;
    openLarge(at);
  }
  grid.focus({preventScroll: true});
}

function clickButton(event) {
  const button = event.target.closest('button');
  if (!button) return;
  const {act: name, class: label, truth} = button.dataset;
  if (name) act(name);
  if (label !== undefined && truth === undefined && button.closest('.classes')) correct(+label);
  if (truth !== undefined) {
    find('#truth').value = truth;
    find('#label').value = button.dataset.label;
    filter();
  }
  if (event.detail) button.blur();   // after a click, Enter accepts again
}

function fillLists() {
  const options = (first, extra = []) => [make('option', {value: '', textContent: first}), ...extra,
    ...labels.map((label, value) => make('option', {value, textContent: label}))];
  find('#label').replaceChildren(...options('any'));
  find('#right').replaceChildren(...options('class…'));
  find('#truth').replaceChildren(...options('any', ['wrong', 'right'].map(value => make('option', {value, textContent: value}))));
  find('.classes', large).replaceChildren(...labels.map((label, number) => {
    const button = make('button', {type: 'button', textContent: label});
    button.dataset.class = number;
    return button;
  }));
  find('#digits').textContent = labels.slice(0, 9).map((label, number) => `${number + 1} ${label}`).join(' · ');
  find('#title').textContent = document.title = head.title;
}

function listen() {
  let frame = 0;
  const redraw = () => { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); };
  addEventListener('scroll', redraw, {passive: true});
  let width = grid.clientWidth;
  new ResizeObserver(() => {
    if (grid.clientWidth !== width) layOut();
    width = grid.clientWidth;
    redraw();
  }).observe(document.body);
  document.addEventListener('keydown', press);
  document.addEventListener('click', clickButton);
  grid.addEventListener('click', click);
  large.addEventListener('close', () => { shown = NONE; });
  find('#filters').addEventListener('input', filter);
  find('#filters').addEventListener('change', event => { if (event.target.matches('select')) grid.focus({preventScroll: true}); });
  find('#filters').addEventListener('submit', event => event.preventDefault());
  find('#filters').addEventListener('reset', () => setTimeout(filter));
  find('#save').addEventListener('click', save);
  find('#choose').addEventListener('click', () => setChoosing(!isChoosing));
  find('#choose-all').addEventListener('click', () => chooseAll(view.order));
  find('#right').addEventListener('change', event => {
    if (event.target.value !== '') correct(+event.target.value);
    event.target.value = '';
    event.target.blur();
  });
  if (head.served) document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh().then(() => showDecisions()); });
  addEventListener('beforeunload', event => { if (head.served && queue.length) event.preventDefault(); });
}

async function start() {
  fillLists();
  find('#more').open = !matchMedia('(max-width: 45rem)').matches;
  await loadRows();
  await restore();
  filter();
  showMatrix();
  showStatus();
  listen();
  grid.focus({preventScroll: true});
  document.body.dataset.ready = performance.now();
}

start().catch(error => { find('#status').textContent = error.message; });
