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
