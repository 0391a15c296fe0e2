import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.RetryOneTime;

/** Does with Curator what each line of the input says, and prints one line when it is done. */
public class Contender {
    public static void main(String[] arguments) throws Exception {
        var curator = CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100));
        curator.start();
        var mutex = new InterProcessMutex(curator, "/x");
        var shared = new InterProcessReadWriteLock(curator, "/x");
        var semaphore = new InterProcessSemaphoreV2(curator, "/s", 1);
        Lease lease = null;
        var latch = new LeaderLatch(curator, "/svc", "theirs");
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            switch (line) {
                case "try" -> System.out.println(mutex.acquire(0, TimeUnit.SECONDS));
                case "acquire" -> { mutex.acquire(); System.out.println("acquired"); }
                case "release" -> { mutex.release(); System.out.println("released"); }
                case "try read" -> System.out.println(shared.readLock().acquire(0, TimeUnit.SECONDS));
                case "try write" -> System.out.println(shared.writeLock().acquire(0, TimeUnit.SECONDS));
                case "read" -> { shared.readLock().acquire(); System.out.println("reads"); }
                case "write" -> { shared.writeLock().acquire(); System.out.println("writes"); }
                case "unread" -> { shared.readLock().release(); System.out.println("released"); }
                case "unwrite" -> { shared.writeLock().release(); System.out.println("released"); }
                case "try permit" -> {
                    lease = semaphore.acquire(300, TimeUnit.MILLISECONDS);
                    System.out.println(lease != null);
                }
                case "return" -> { semaphore.returnLease(lease); System.out.println("returned"); }
                case "stand" -> { latch.start(); System.out.println("standing"); }
                case "leader" -> System.out.println(latch.getLeader().getId());
                case "await" -> { latch.await(); System.out.println("leading"); }
                case "leave" -> { latch.close(); System.out.println("left"); }
            }
        }
        curator.close();
    }
}
