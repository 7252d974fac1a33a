// A signalling server for skyway-js as docs tell of the vendor's, on the stock socket.io 2.5: what the fixtures are
// captured against, and what shows that a browser test can pass at all (E2E_SERVER=skyway-relay).
//   node relay.mjs --port 9000

import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import socketIo from 'socket.io';

const GRACE_MS = 30_000;
const LOG_ENTRIES = 100;
const MAX_PAYLOAD = 21 * 1024 * 1024;

// `apps`: as in the configuration of peerway, by their key. `domains`: names of this server for its dispatcher.
export function startRelay({ port = 0, host = '127.0.0.1', apps, domains = ['localhost'] }) {
  const sessions = new Map(); // `${key} ${id}` to session
  const rooms = new Map(); // `${key} ${name}` to room
  const http = createServer((request, response) => answer(request, response, { sessions, domains }));
  const io = socketIo(http, {
    origins: '*:*',
    serveClient: false,
    pingInterval: 25_000,
    pingTimeout: 5_000,
    maxHttpBufferSize: MAX_PAYLOAD,
    perMessageDeflate: false,
    httpCompression: false,
  });
  io.on('connection', (socket) => enter(socket, { apps, sessions, rooms }));
  const end = () => {
    for (const { grace, timers = [] } of sessions.values()) [grace, ...timers].forEach(clearTimeout);
    io.close();
  };
  return new Promise((resolve) => http.listen(port, host, () => resolve({ port: http.address().port, end })));
}

function enter(socket, { apps, sessions, rooms }) {
  const { apiKey, token, peerId, credential } = socket.handshake.query;
  const app = apps[apiKey];
  const refuse = (type, message) => {
    socket.emit('ERROR', { type, message });
    socket.disconnect();
  };
  if (!app) return refuse('invalid-key', 'there is no such API key');
  if (app.origins && !app.origins.includes(socket.handshake.headers.origin)) {
    return refuse('invalid-domain', 'pages of this origin may not use the API key');
  }
  const id =
    peerId ||
    randomBytes(12)
      .toString('base64')
      .replace(/[^A-Za-z0-9]/g, 'x');
  const address = `${apiKey} ${id}`;
  const holder = sessions.get(address);
  if (app.require_signed_id) {
    const wrong = judge(app.secret, id, parsed(credential));
    if (wrong) return refuse('authentication', wrong);
  }
  if (holder?.socket && holder.token !== token) return refuse('unavailable-id', 'the id is in use');

  let session = holder;
  if (holder?.token === token) {
    clearTimeout(holder.grace);
    holder.socket?.disconnect(true);
  } else {
    if (holder) end(holder);
    session = { id, apiKey, token, address, queue: [], rooms: new Set() };
    sessions.set(address, session);
  }
  session.socket = socket;
  // Messages may come before OPEN is out; what waited goes after it.
  socket.emit('OPEN', { peerId: id });
  for (const [name, payload] of session.queue.splice(0)) socket.emit(name, payload);
  if (app.require_signed_id) watch(session, parsed(credential));

  const other = (id) => sessions.get(`${apiKey} ${id}`);
  const relayed = {
    SEND_OFFER: 'OFFER',
    SEND_ANSWER: 'ANSWER',
    SEND_CANDIDATE: 'CANDIDATE',
    SEND_FORCE_CLOSE: 'FORCE_CLOSE',
  };
  for (const [from, to] of Object.entries(relayed)) {
    socket.on(from, (payload) => {
      const target = other(payload?.dst);
      if (target) tell(target, to, { ...payload, src: id });
      else tell(session, 'ERROR', { type: 'peer-unavailable', message: `no peer has the id "${payload?.dst}"` });
    });
  }
  socket.on('PING', () => {});
  socket.on('UPDATE_CREDENTIAL', (credential) => {
    if (!app.require_signed_id) return;
    const wrong = judge(app.secret, id, credential);
    if (wrong) tell(session, 'ERROR', { type: 'authentication', message: wrong });
    else watch(session, credential);
  });

  const roomOf = (payload) => {
    const room = rooms.get(`${apiKey} ${payload?.roomName}`);
    if (room?.members.includes(session)) return room;
    tell(session, 'ERROR', { type: 'room-error', message: 'you are not in this room' });
  };
  socket.on('ROOM_JOIN', ({ roomName, roomType }) => {
    const key = `${apiKey} ${roomName}`;
    const room = rooms.get(key) ?? { key, roomType, members: [], log: [], asked: new Set() };
    if (room.roomType !== roomType) {
      return tell(session, 'ERROR', { type: 'room-error', message: 'the room has another type' });
    }
    rooms.set(key, room);
    session.rooms.add(room);
    if (!room.members.includes(session)) room.members.push(session);
    session.before = room.members.slice(0, room.members.indexOf(session));
    write(room, 'ROOM_USER_JOIN', { roomName, roomType, src: id });
    const roomMembers = room.members.map(({ id }) => id);
    for (const member of room.members) tell(member, 'ROOM_USER_JOIN', { roomName, src: id, roomMembers });
  });
  socket.on('ROOM_GET_USERS', ({ roomName, type }) => {
    const room = roomOf({ roomName });
    if (!room) return;
    // The first answer names only those who came before, so that two newcomers do not call each other.
    const listed = session.before ?? room.members;
    session.before = undefined;
    tell(session, 'ROOM_USERS', { roomName, type, userList: listed.map(({ id }) => id) });
  });
  socket.on('ROOM_GET_LOGS', ({ roomName }) => {
    const room = roomOf({ roomName });
    if (room) tell(session, 'ROOM_LOGS', { roomName, log: room.log });
  });
  socket.on('ROOM_SEND_DATA', ({ roomName, data }) => {
    const room = roomOf({ roomName });
    if (!room) return;
    write(room, 'ROOM_DATA', { src: id, data });
    for (const member of room.members) {
      if (member !== session) tell(member, 'ROOM_DATA', { roomName, src: id, data });
    }
  });
  socket.on('ROOM_LEAVE', ({ roomName }) => {
    const room = roomOf({ roomName });
    if (room) leave(room, session, roomName);
  });

  socket.on('disconnect', (reason) => {
    if (session.socket !== socket) return;
    session.socket = undefined;
    if (reason === 'client namespace disconnect' || reason === 'server namespace disconnect') return end(session);
    session.grace = setTimeout(() => end(session), GRACE_MS);
  });

  function leave(room, session, roomName) {
    room.members.splice(room.members.indexOf(session), 1);
    session.rooms.delete(room);
    if (room.members.length === 0) return rooms.delete(room.key);
    write(room, 'ROOM_USER_LEAVE', { roomName, src: session.id });
    for (const member of room.members) tell(member, 'ROOM_USER_LEAVE', { roomName, src: session.id });
  }

  function end(session) {
    clearTimeout(session.grace);
    session.timers?.forEach(clearTimeout);
    for (const room of [...session.rooms]) leave(room, session, room.key.slice(apiKey.length + 1));
    if (sessions.get(session.address) === session) sessions.delete(session.address);
  }
}

function tell(session, name, payload) {
  if (session.socket) session.socket.emit(name, payload);
  else session.queue.push([name, payload]);
}

function write(room, messageType, message) {
  room.log.push(JSON.stringify({ timestamp: Date.now(), messageType, message }));
  if (room.log.length > LOG_ENTRIES) room.log.shift();
}

// A warning at 300 s and 60 s before the end, and the end.
function watch(session, { timestamp, ttl }) {
  session.timers?.forEach(clearTimeout);
  const left = (timestamp + ttl) * 1000 - Date.now();
  const after = (milliseconds, then) => (milliseconds >= 0 ? [setTimeout(then, milliseconds)] : []);
  session.timers = [
    ...after(left - 300_000, () => tell(session, 'AUTH_EXPIRES_IN', 300)),
    ...after(left - 60_000, () => tell(session, 'AUTH_EXPIRES_IN', 60)),
    ...after(left, () => {
      tell(session, 'ERROR', { type: 'authentication', message: 'the credential has expired' });
      session.socket?.disconnect();
    }),
  ];
}

// skyway-js encodes the credential of a reconnect after `updateCredential` twice.
function parsed(text) {
  for (const attempt of [text, decodeURIComponent(text ?? '')]) {
    try {
      return JSON.parse(attempt);
    } catch {
      // the next one
    }
  }
}

// What is wrong with a credential, if anything.
function judge(secret, peerId, credential) {
  if (!credential) return 'a credential is needed';
  const { timestamp, ttl, authToken } = credential;
  if (timestamp > Date.now() / 1000 + 30) return 'the timestamp is in the future';
  if (ttl < 600) return 'the ttl is less than 600';
  if (ttl > 90_000) return 'the ttl is more than 90000';
  if (timestamp + ttl < Date.now() / 1000) return 'the credential has expired';
  const expected = createHmac('sha256', secret).update(`${timestamp}:${ttl}:${peerId}`).digest('base64');
  return authToken === expected ? undefined : 'the authToken does not fit';
}

function answer({ url }, response, { sessions, domains }) {
  const json = (value) => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(value));
  };
  const path = decodeURIComponent(new URL(url, 'http://relay').pathname);
  const [, key, rest] = path.match(/^\/api\/apikeys\/([^/]+)\/(.*)$/) ?? [];
  const ids = [...sessions.values()].filter(({ apiKey }) => apiKey === key).map(({ id }) => id);
  const [, asked] = rest?.match(/^peers\/(.+)\/exists$/) ?? [];
  if (path === '/healthz') response.end('ok');
  else if (path === '/signaling') {
    domains.push(domains.shift());
    json({ domain: domains.at(-1) });
  } else if (rest === 'clients/') json(ids);
  else if (asked) json({ exists: ids.includes(asked) });
  else response.writeHead(404).end();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const options = { port: { type: 'string' }, apps: { type: 'string' }, domains: { type: 'string' } };
  const { values } = parseArgs({ options, strict: false, allowPositionals: true });
  const apps = Object.fromEntries(JSON.parse(values.apps).map((app) => [app.key, app]));
  const domains = values.domains?.split(',');
  await startRelay({ port: Number(values.port), apps, domains });
}
