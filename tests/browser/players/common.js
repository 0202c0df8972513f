const video = document.querySelector('video');

// What became of the film: its end, or what the player says of it.
function outcome(said) {
  const ended = new Promise(done => video.addEventListener('ended', () => done({}), { once: true }));
  const limit = new Promise(done => setTimeout(done, 20000, { data: 'neither an end nor an error' }));
  // Without a key it never settles.
  video.play().catch(() => {});
  return Promise.race([ended, said, limit]).then(told => ({
    ended: video.ended, frames: video.getVideoPlaybackQuality().totalVideoFrames, ...told
  }));
}

// Stands still at a frame of the second half.
async function still() {
  video.pause();
  if (video.readyState < 3) await new Promise(done => video.addEventListener('canplay', done, { once: true }));
  const there = new Promise(done => video.addEventListener('seeked', done, { once: true }));
  video.currentTime = 1.5;
  await there;
  const shown = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (let frame = 0; frame < 3; frame++) await shown();
  return Math.abs(video.currentTime - 1.5) < 0.001;
}
