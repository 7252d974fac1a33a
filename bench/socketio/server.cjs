// What peerway is measured beside: the messages of skyway-js that make up its load, passed on by socket.io 2.5 as its
// documentation shows, and nothing more: no credentials, no logs, no limits, nobody comes back.
//   NODE_PATH=../.cache/node_modules node server.cjs 9000

const { createServer } = require('node:http');

const socketIo = require('socket.io');

const port = Number(process.argv[2]);
const peers = new Map(); // id to socket
const members = new Map(); // room name to ids in the order of coming

const http = createServer();
const io = socketIo(http, { origins: '*:*', serveClient: false, pingInterval: 25_000, pingTimeout: 5_000 });

io.on('connection', (socket) => {
  const id = socket.handshake.query.peerId ?? socket.id;
  peers.set(id, socket);
  socket.emit('OPEN', { peerId: id });

  for (const name of ['OFFER', 'ANSWER', 'CANDIDATE']) {
    socket.on(`SEND_${name}`, (payload) => peers.get(payload.dst)?.emit(name, { ...payload, src: id }));
  }

  socket.on('ROOM_JOIN', ({ roomName }) => {
    const room = members.get(roomName) ?? new Set();
    members.set(roomName, room.add(id));
    socket.join(roomName, () => {
      io.to(roomName).emit('ROOM_USER_JOIN', { roomName, src: id, roomMembers: [...room] });
    });
  });
  socket.on('ROOM_GET_USERS', ({ roomName, type }) => {
    socket.emit('ROOM_USERS', { roomName, type, userList: [...(members.get(roomName) ?? [])] });
  });
  socket.on('ROOM_SEND_DATA', ({ roomName, data }) =>
    socket.to(roomName).emit('ROOM_DATA', { roomName, src: id, data }),
  );
  socket.on('ROOM_LEAVE', ({ roomName }) => socket.leave(roomName, () => left(roomName)));

  socket.on('disconnecting', () => {
    for (const roomName of Object.keys(socket.rooms)) if (members.get(roomName)?.has(id)) left(roomName);
  });
  socket.on('disconnect', () => peers.delete(id));

  function left(roomName) {
    const room = members.get(roomName);
    if (!room?.delete(id)) return;
    if (room.size === 0) members.delete(roomName);
    else socket.to(roomName).emit('ROOM_USER_LEAVE', { roomName, src: id });
  }
});

http.listen(port, '127.0.0.1');
