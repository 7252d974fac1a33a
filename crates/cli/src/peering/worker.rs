//! A thread that reads or writes files, so that slow disks and pipes hold up nothing else.

use tokio::sync::mpsc;

/// Jobs, and answers, that wait.
const WAITING: usize = 32;

/// Jobs go in, some of them have answers. Dropping it lets the thread end after its last job.
pub(crate) struct Worker<Job, Answer> {
    jobs: mpsc::Sender<Job>,
    answers: mpsc::Receiver<Answer>,
}

impl<Job: Send + 'static, Answer: Send + 'static> Worker<Job, Answer> {
    pub(crate) fn start(mut work: impl FnMut(Job) -> Option<Answer> + Send + 'static) -> Self {
        let (jobs, mut todo) = mpsc::channel::<Job>(WAITING);
        let (done, answers) = mpsc::channel(WAITING);
        std::thread::spawn(move || {
            while let Some(job) = todo.blocking_recv() {
                if let Some(answer) = work(job)
                    && done.blocking_send(answer).is_err()
                {
                    // What is left is still to be done, to its last write.
                    while let Some(job) = todo.blocking_recv() {
                        work(job);
                    }
                }
            }
        });
        Self { jobs, answers }
    }

    pub(crate) fn jobs(&self) -> &mpsc::Sender<Job> {
        &self.jobs
    }

    /// The next answer; cancel-safe.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Waits until all jobs are done.
    pub(crate) async fn finish(mut self) {
        drop(self.jobs);
        while self.answers.recv().await.is_some() {}
    }
}
