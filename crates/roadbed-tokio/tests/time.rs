//! Time is tokio's, so that the tests of applications may pause it.

use std::sync::Arc;
use std::time::Duration;

use roadbed_tokio::Tokio;
use roadbed_tokio::roadbed::Error;
use roadbed_tokio::roadbed::client::{HandlerError, Invocation, Settings};
use roadbed_tokio::roadbed::core::uri::Uri;
use roadbed_tokio::roadbed::server::{Authentication, RouterConfig, RouterHandle};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn deadlines_follow_the_paused_clock() -> Result<(), Box<dyn std::error::Error>> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, Arc::new(Tokio::current()))?;
    let session = router.attach_local(&Settings::new("realm1"))?.await?;
    let dig = |_: Invocation| std::future::pending::<Result<(), HandlerError>>();
    let _dig = session.register("com.example.dig", dig).await?;

    let (start, real) = (Instant::now(), std::time::Instant::now());
    let result = session.call("com.example.dig", ()).timeout(Duration::from_secs(3600)).await;
    assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    let span = start.elapsed();
    assert!(span >= Duration::from_secs(3600) && span < Duration::from_secs(3601), "{span:?}");
    assert!(real.elapsed() < Duration::from_secs(60));
    Ok(())
}

/// A runtime can be named from a thread that is none of its own.
#[test]
fn a_runtime_from_outside() -> Result<(), Box<dyn std::error::Error>> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, Arc::new(Tokio::on(tokio.handle().clone())))?;
    let session = router.attach_local(&Settings::new("realm1"))?.wait()?;
    session.publish("com.example.tick", (1,)).acknowledge().wait()?;
    session.leave().wait()?;
    router.shutdown(Duration::from_secs(5)).wait();
    assert_eq!(router.connections(), 0);
    Ok(())
}

/// A task that waited would keep its own answer from coming; a thread for what blocks may wait.
#[test]
fn waiting_in_a_task_fails_at_once() -> Result<(), Box<dyn std::error::Error>> {
    use tokio::runtime::Builder;

    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().build()?;
        let session = runtime.block_on(async {
            let realm = Uri::new("realm1")?;
            let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
            let router = RouterHandle::new(config, Arc::new(Tokio::current()))?;
            let session = router.attach_local(&Settings::new("realm1"))?.await?;
            let joining = router.attach_local(&Settings::new("realm1"))?;
            assert!(matches!(joining.wait(), Err(Error::WaitInTask)));
            let result = session.publish("com.example.tick", ()).acknowledge().wait();
            assert!(matches!(result, Err(Error::WaitInTask)), "{result:?}");
            let error = result.unwrap_err();
            assert!(error.to_string().contains(".await") && !error.is_retryable(), "{error}");
            let inside = session.clone();
            let result = tokio::spawn(async move { inside.leave().wait() }).await?;
            assert!(matches!(result, Err(Error::WaitInTask)), "{result:?}");
            // The task goes on as any other.
            let _events = session.subscribe("com.example.tick").await?;
            let beside = session.clone();
            let waiting = move || beside.publish("com.example.tick", ()).acknowledge().wait();
            tokio::task::spawn_blocking(waiting).await??;
            Ok::<_, Box<dyn std::error::Error>>(session)
        })?;
        // Another thread waits while this one runs the tasks.
        let waiting = std::thread::spawn(move || session.leave().wait());
        runtime.block_on(async {
            while !waiting.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waiting.join().unwrap()?;
    }
    Ok(())
}
